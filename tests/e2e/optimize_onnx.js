// Writes an ONNX model as ONNX Runtime's graph optimizer leaves it, to see what it fused.
// Usage: node optimize_onnx.js MODEL OPTIMIZED [int8]
// int8: let it have kernels of signed integers on x86-64, too (docs/serving.md).
// NODE_PATH points to onnxruntime-node.
const ort = require('onnxruntime-node');

async function main() {
  const [model, optimized, int8] = process.argv.slice(2);
  const options = {graphOptimizationLevel: 'all', optimizedModelFilePath: optimized};
  if (int8) options.extra = {session: {qdqisint8allowed: '1'}};
  await ort.InferenceSession.create(model, options);
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
