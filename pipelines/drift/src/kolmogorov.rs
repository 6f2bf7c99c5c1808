//! kolmogorov
