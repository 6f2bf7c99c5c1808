//! chasqui-server
