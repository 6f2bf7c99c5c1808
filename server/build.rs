//! Compiles the interface definitions of gRPC, without a protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["inference.proto", "health.proto"];
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .bytes(".")
        .codec_path("crate::grpc::codec::WeighingCodec")
        .compile_fds(descriptors)?;
    for file in files {
        println!("cargo:rerun-if-changed=proto/{file}");
    }
    Ok(())
}
