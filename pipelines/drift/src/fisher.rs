//! fisher
