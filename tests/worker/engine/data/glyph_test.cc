#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "common/sha256.h"
#include "worker/engine/data/glyphs/exact_math.h"
#include "worker/engine/data/glyphs/glyph_alphabet.h"
#include "worker/engine/data/glyphs/glyph_renderer.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

using testing::HasSubstr;

std::unique_ptr<Dataset> Glyphs(const std::string& parameters, Split split = Split::kTrain) {
  auto dataset = OpenDataset("synthetic://glyphs?" + parameters, {.split = split});
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return *std::move(dataset);
}

// SHA-256 of the pixels of the first `count` pictures.
std::string HashOf(const Dataset& dataset, int64_t count) {
  Sha256 hash;
  for (int64_t i = 0; i < count; ++i) {
    const Picture picture = dataset.Get(i).value();
    hash.Update({reinterpret_cast<const char*>(picture.rgb.data()), picture.rgb.size()});
  }
  return hash.HexDigest();
}

// These digests must never change: a URI names its bytes. Every operation of the renderer counts.
TEST(GlyphTest, TheSameBytesOnEveryMachine) {
  EXPECT_EQ(HashOf(*Glyphs("seed=1"), 512),
            "7e38facbf6de89fb2e4429fa15072c1a7b7fc3555568b786780cc8cf2aa0bd15");
  EXPECT_EQ(HashOf(*Glyphs("seed=2&classes=62&size=48&difficulty=2", Split::kVal), 128),
            "42d65570788eb1629239ea2cb380680fb5e7b6a0d895f1717f165b9f613816c8");
  EXPECT_EQ(HashOf(*Glyphs("seed=3&classes=10&difficulty=0&color=0"), 64),
            "bd0e94f450e49b0ac2e028bcdea6b79444c6e862fd0db5020f09678965f6d364");
}

TEST(GlyphTest, EveryParameterTakesEffect) {
  std::set<std::string> hashes;
  for (const char* parameters : {"seed=1", "seed=2", "size=33", "difficulty=0.9", "color=0",
                                 "classes=35", "classes=36&difficulty=1.1"}) {
    EXPECT_TRUE(hashes.insert(HashOf(*Glyphs(parameters), 64)).second) << parameters;
  }
  EXPECT_TRUE(hashes.insert(HashOf(*Glyphs("seed=1", Split::kVal), 64)).second) << "split";
  EXPECT_EQ(Glyphs("train=70&val=50")->size(), 70);
  EXPECT_EQ(Glyphs("train=70&val=50", Split::kVal)->size(), 50);
  EXPECT_EQ(HashOf(*Glyphs("train=70"), 64), HashOf(*Glyphs("train=20000"), 64))
      << "more pictures leave the first ones as they are";
}

TEST(GlyphTest, ClassesAreBalancedAndNamed) {
  const auto glyphs = Glyphs("classes=62&size=24");
  EXPECT_EQ(glyphs->native_size(), 24);
  EXPECT_FALSE(glyphs->mirrors_well());
  ASSERT_EQ(glyphs->class_names().size(), 62u);
  EXPECT_EQ(glyphs->class_names()[10], "A");
  EXPECT_EQ(glyphs->class_names()[61], "z_lower");
  for (int64_t i = 0; i < 124; ++i) EXPECT_EQ(glyphs->Label(i), i % 62);
  const Picture picture = glyphs->Get(63).value();
  EXPECT_EQ(picture.label, 1);
  EXPECT_EQ(picture.rgb.size(), 24u * 24 * 3);
}

TEST(GlyphTest, GreyMeansEqualChannels) {
  const Picture picture = Glyphs("color=0")->Get(7).value();
  for (size_t i = 0; i < picture.rgb.size(); i += 3) {
    ASSERT_EQ(picture.rgb[i], picture.rgb[i + 1]);
    ASSERT_EQ(picture.rgb[i], picture.rgb[i + 2]);
  }
}

// Without distortion and in grey, classes can be told apart by comparing pixels with the paper's
// colour at the corner: every two classes differ in many of them.
TEST(GlyphTest, NoTwoClassesLookAlike) {
  const auto glyphs = Glyphs("classes=62&difficulty=0&color=0");
  std::vector<std::vector<bool>> inked;
  for (int64_t i = 0; i < 62; ++i) {
    const Picture picture = glyphs->Get(i).value();
    std::vector<bool> ink;
    for (size_t p = 0; p < picture.rgb.size(); p += 3) {
      ink.push_back(std::abs(picture.rgb[p] - picture.rgb[0]) > 40);
    }
    inked.push_back(std::move(ink));
  }
  for (int a = 0; a < 62; ++a) {
    EXPECT_GT(std::count(inked[a].begin(), inked[a].end(), true), 40) << a;
    for (int b = 0; b < a; ++b) {
      int different = 0;
      for (size_t p = 0; p < inked[a].size(); ++p) different += inked[a][p] != inked[b][p];
      EXPECT_GT(different, 12) << glyphs->class_names()[a] << " and " << glyphs->class_names()[b];
    }
  }
}

TEST(GlyphTest, OtherClassesThanTheTrainingSetAreRefused) {
  const auto dataset = OpenDataset("synthetic://glyphs?classes=10", {.class_names = {"a", "b"}});
  EXPECT_TRUE(absl::IsInvalidArgument(dataset.status()));
  EXPECT_THAT(std::string(dataset.status().message()), HasSubstr("the same 'classes'"));
}

TEST(GlyphShapeTest, AlphabetFillsTheUnitSquare) {
  ASSERT_EQ(GlyphAlphabet().size(), 62u);
  for (const GlyphClass& glyph : GlyphAlphabet()) {
    for (const GlyphShape& shape : glyph.variants) {
      double top = 1, bottom = 0;
      for (const Stroke& stroke : shape) {
        for (const Point& point : stroke.points) {
          EXPECT_GT(point.x, -0.15) << glyph.name;
          EXPECT_LT(point.x, 1.15) << glyph.name;
          top = std::min(top, point.y);
          bottom = std::max(bottom, point.y);
        }
      }
      EXPECT_GT(top, -0.15) << glyph.name;
      EXPECT_LT(bottom, 1.15) << glyph.name;
      EXPECT_GT(bottom - top, 0.5) << glyph.name;
    }
  }
}

TEST(GlyphShapeTest, BadShapesAreRefused) {
  for (const char* text :
       {"", "L1,1", "M0,0", "M0 L1,1", "M0,0 Z1,1", "M0,0 Q1,1", "Oa,b;1,1;0,9"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseGlyphShape(text).status())) << text;
  }
}

TEST(ExactMathTest, SineAndCosineAreRight) {
  for (int i = -400; i <= 400; ++i) {
    const double turns = i / 160.0;
    const SinCos value = SinCosOfTurns(turns);
    EXPECT_NEAR(value.sin, std::sin(turns * 2 * M_PI), 1e-9) << turns;
    EXPECT_NEAR(value.cos, std::cos(turns * 2 * M_PI), 1e-9) << turns;
  }
}

}  // namespace
}  // namespace quantry::engine
