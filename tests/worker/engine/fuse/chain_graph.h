#ifndef QUANTRY_TESTS_WORKER_ENGINE_FUSE_CHAIN_GRAPH_H_
#define QUANTRY_TESTS_WORKER_ENGINE_FUSE_CHAIN_GRAPH_H_

#include <ostream>
#include <string>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Which nodes an elementwise chain has.
struct ChainForm {
  bool norm = true;
  bool inner = false;
  bool add = false;
  // "": none; "Relu6": a Clip; "Silu", "GeluErf": of several nodes; "GeluTanh": Gelu, approximate.
  std::string activation = "Relu";
  bool outer = true;
  bool symmetric = true;  // of the quantizers
  // What these learn: "": nothing; "alpha": PACT; "step": LSQ; "offset": LSQ+, a step as well.
  std::string learns = "";
  bool bias = false;  // along the last axis; not with a norm

  friend std::ostream& operator<<(std::ostream& out, const ChainForm& form);
};

// A graph of nothing but that chain: inputs "x" and, with `add`, "r"; parameters "gamma" and
// "beta", or "bias", of `channels` random elements; nodes "bias_add", "norm", "inner", "add",
// "activation" (the last one where there are several), "outer".
Graph ChainGraph(const ChainForm& form, int64_t channels);

// A 3 x 3 convolution "convolution", padded by 1, with a bias where there is no norm, of what a
// quantizer "in" gives, its weight quantized by "weight_grid", and behind it that chain. Parameters
// "weight" and "bias" beside those of the chain.
struct LayerForm {
  ChainForm chain;
  int64_t in_channels = 16;
  int64_t out_channels = 16;
  int64_t groups = 1;
  int64_t stride = 1;
  bool gemm = false;    // instead of the convolution; no groups, no stride
  bool matmul = false;  // instead of either: the same with its bias in the chain

  friend std::ostream& operator<<(std::ostream& out, const LayerForm& form);
};
Graph LayerGraph(const LayerForm& form);

// Inputs "x" and "gate", the first behind a quantizer "in"; nodes "product" and "outer".
struct GateForm {
  bool symmetric = true;
  std::string learns = "";  // as in ChainForm, of "outer"
  bool gate_first = false;  // the order of the product's inputs

  friend std::ostream& operator<<(std::ostream& out, const GateForm& form);
};
Graph GateGraph(const GateForm& form);

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_FUSE_CHAIN_GRAPH_H_
