//! chasqui-tests
