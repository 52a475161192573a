// Runs an ONNX model in ONNX Runtime on raw float32 inputs.
// Usage: node run_onnx.js MODEL INPUT.f32 N,C,H,W OUTPUT.f32
// INPUT.f32 and OUTPUT.f32 are little-endian float32 arrays; NODE_PATH points to onnxruntime-node.
const fs = require('fs');
const ort = require('onnxruntime-node');

async function main() {
  const [model, inputFile, shapeText, outputFile] = process.argv.slice(2);
  const shape = shapeText.split(',').map(Number);
  const bytes = fs.readFileSync(inputFile);
  const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  // Exact integer products also on x86 processors without VNNI, see docs/serving.md.
  const session = await ort.InferenceSession.create(
      model, {extra: {session: {x64quantprecision: '1'}}});
  const perExample = data.length / shape[0];
  const outputs = [];
  const batch = 32;
  for (let first = 0; first < shape[0]; first += batch) {
    const count = Math.min(batch, shape[0] - first);
    const part = data.subarray(first * perExample, (first + count) * perExample);
    const tensor = new ort.Tensor('float32', part, [count, ...shape.slice(1)]);
    const result = await session.run({[session.inputNames[0]]: tensor});
    outputs.push(Buffer.from(Float32Array.from(result[session.outputNames[0]].data).buffer));
  }
  fs.writeFileSync(outputFile, Buffer.concat(outputs));
  console.log(JSON.stringify({inputs: session.inputNames, outputs: session.outputNames}));
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
