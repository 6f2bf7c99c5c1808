//! chasqui-registry
