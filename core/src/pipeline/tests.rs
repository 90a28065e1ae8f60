//! The services over ports in memory, with a format of a few lines. Each file holds the promises of one
//! service; `trouble` those that only a failing port shows.

mod amending;
mod deleting;
mod entering;
mod explaining;
mod helping;
mod members;
mod notes;
mod publishing;
mod reading;
mod remote;
mod targets;
mod trouble;
mod world;
mod writing;
