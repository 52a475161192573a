#include "worker/engine/data/glyph_dataset.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/engine/data/cached_dataset.h"
#include "worker/engine/data/glyphs/glyph_alphabet.h"
#include "worker/engine/data/glyphs/glyph_renderer.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxCacheBytes = int64_t{512} << 20;

class GlyphDataset : public Dataset {
 public:
  GlyphDataset(const GlyphRenderOptions& render, Split split, uint64_t seed, int64_t size)
      : render_(render), split_(split), seed_(seed), size_(size) {
    for (int i = 0; i < render.num_classes; ++i) class_names_.push_back(GlyphAlphabet()[i].name);
  }

  int64_t size() const override { return size_; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::optional<int> native_size() const override { return render_.size; }
  bool mirrors_well() const override { return false; }
  int64_t Label(int64_t index) const override { return index % render_.num_classes; }

  std::string Name(int64_t index) const override {
    return absl::StrCat("glyph ", split_ == Split::kTrain ? "train" : "val", " ", index);
  }

  absl::StatusOr<Picture> Get(int64_t index) const override {
    const int64_t label = Label(index);
    return Picture{.width = render_.size,
                   .height = render_.size,
                   .rgb = RenderGlyph(render_, label, seed_, split_ == Split::kTrain ? 0 : 1,
                                      static_cast<uint64_t>(index)),
                   .label = label};
  }

 private:
  const GlyphRenderOptions render_;
  const Split split_;
  const uint64_t seed_;
  const int64_t size_;
  std::vector<std::string> class_names_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenGlyphs(const DatasetUri& uri,
                                                    const DatasetOptions& options) {
  const int64_t classes = uri.Integer("classes");
  const int64_t size = uri.Integer("size");
  const GlyphRenderOptions render{.size = static_cast<int>(size),
                                  .difficulty = uri.Number("difficulty"),
                                  .colour = uri.Integer("color") == 1,
                                  .num_classes = static_cast<int>(classes)};
  std::unique_ptr<Dataset> glyphs = std::make_unique<GlyphDataset>(
      render, options.split, static_cast<uint64_t>(uri.Integer("seed")),
      uri.Integer(options.split == Split::kTrain ? "train" : "val"));
  if (!options.class_names.empty() && options.class_names != glyphs->class_names()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the glyphs have ", classes, " classes, other ones than the training set's ",
                     options.class_names.size(), "; give both URIs the same 'classes'"));
  }
  if (glyphs->size() > kMaxCacheBytes / (size * size * 3)) return glyphs;
  return std::make_unique<CachedDataset>(std::move(glyphs));
}

}  // namespace quantry::engine
