#include "worker/engine/data/picture_codec.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/data/picture_header.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxPixels = 100'000'000;
constexpr int64_t kMaxAspect = 32;

absl::Status CheckSize(const PictureSize& size) {
  const int64_t longer = std::max(size.width, size.height);
  const int64_t shorter = std::min(size.width, size.height);
  if (shorter >= 1 && longer <= kMaxAspect * shorter && longer <= kMaxPixels / shorter) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("its size is ", size.width, " x ", size.height,
                                          " pixels; allowed: up to ", kMaxPixels, " pixels and ",
                                          kMaxAspect, " times as long as wide"));
}

}  // namespace

absl::StatusOr<Picture> DecodePicture(absl::string_view file, int64_t label) {
  QUANTRY_ASSIGN_OR_RETURN(const PictureSize size, ReadPictureSize(file));
  QUANTRY_RETURN_IF_ERROR(CheckSize(size));
  try {
    const cv::Mat encoded(1, static_cast<int>(file.size()), CV_8U, const_cast<char*>(file.data()));
    const cv::Mat bgr = cv::imdecode(encoded, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
    if (bgr.empty()) return absl::DataLossError("the file is damaged");
    Picture picture{.width = bgr.cols, .height = bgr.rows, .rgb = {}, .label = label};
    picture.rgb.resize(static_cast<size_t>(bgr.rows) * bgr.cols * 3);
    cv::Mat rgb(bgr.rows, bgr.cols, CV_8UC3, picture.rgb.data());
    cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
    return picture;
  } catch (const cv::Exception& e) {
    return absl::DataLossError(absl::StrCat("the file is damaged: ", e.err));
  }
}

absl::StatusOr<std::string> EncodePng(const Picture& picture) {
  try {
    const cv::Mat rgb(picture.height, picture.width, CV_8UC3,
                      const_cast<uint8_t*>(picture.rgb.data()));
    cv::Mat bgr;
    cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
    std::vector<uint8_t> file;
    if (!cv::imencode(".png", bgr, file)) return absl::InternalError("cannot encode a PNG file");
    return std::string(file.begin(), file.end());
  } catch (const cv::Exception& e) {
    return absl::InternalError(absl::StrCat("cannot encode a PNG file: ", e.err));
  }
}

}  // namespace quantry::engine
