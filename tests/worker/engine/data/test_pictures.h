#ifndef QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_PICTURES_H_
#define QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_PICTURES_H_

#include <string>

#include "tests/worker/engine/data/scratch_folder.h"
#include "worker/engine/data/dataset.h"

namespace quantry::engine {

// A picture whose every value depends on its place and `seed`.
Picture TestPicture(int width, int height, int seed);

// TestPicture as a PNG file.
std::string TestPng(int width, int height, int seed);

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_PICTURES_H_
