//! For tests of every crate: the ports in memory, and the suite that every port must pass.
