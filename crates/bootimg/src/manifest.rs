//! What an image is made of: package sets, options, and the table of ESOS's included software.
