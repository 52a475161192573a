// Writes an ONNX model as ONNX Runtime's graph optimizer leaves it, to see what it fused.
// Usage: node optimize_onnx.js MODEL OPTIMIZED
// NODE_PATH points to onnxruntime-node.
const ort = require('onnxruntime-node');

async function main() {
  const [model, optimized] = process.argv.slice(2);
  await ort.InferenceSession.create(
      model, {graphOptimizationLevel: 'all', optimizedModelFilePath: optimized});
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
