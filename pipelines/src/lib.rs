//! chasqui-pipelines
