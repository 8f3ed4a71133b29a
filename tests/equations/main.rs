//! One check for each numbered result of the book, named after its label. A check
//! shares no code with what it checks: derivatives are finite differences,
//! expectations are sums over samples or quadrature, and densities are written out
//! anew.

#[path = "../common/mod.rs"]
mod common;

mod appendix_distributions;
mod appendix_matrix_calculus;
mod appendix_scikit_learn;
mod appendix_smaller_sets;
mod ch01;
mod ch02;
mod ch03;
mod ch04;
mod ch05;
mod ch06;
mod ch07;
mod ch08;
mod ch09;
mod ch10;
mod ch11;
mod ch12;
mod ch13;
mod ch14;
mod ch15;
mod ch16;
mod ch17;
mod ch20;
mod ch21;
