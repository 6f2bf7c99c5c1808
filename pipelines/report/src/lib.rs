//! chasqui-report
