//! Plants each fault that the preprocessor knows in a small book, and sees it reported with its
//! file and line; and compares a page without faults with what it must become.

mod faults_of_files;
mod faults_of_text;
mod pages;
mod sample;
