#include "tests/worker/engine/data/test_files.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace quantry::engine {

std::string CifarRecord(const std::vector<uint8_t>& labels, int seed) {
  std::string record(labels.begin(), labels.end());
  for (int i = 0; i < 3072; ++i) record += static_cast<char>((i + seed) % 256);
  return record;
}

std::string IdxFile(const std::vector<uint32_t>& shape, const std::string& values) {
  std::string file = {0, 0, 8, static_cast<char>(shape.size())};
  for (const uint32_t length : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(length >> shift);
  }
  return file + values;
}

std::string Gzip(const std::string& content) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string file(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(file.data());
  stream.avail_out = static_cast<uInt>(file.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  file.resize(stream.total_out);
  deflateEnd(&stream);
  return file;
}

std::string TarMemberBytes(const std::string& name, const std::string& content, char type) {
  std::string header(512, '\0');
  const auto put = [&header](size_t offset, const std::string& text) {
    std::memcpy(header.data() + offset, text.data(), text.size());
  };
  put(0, name.substr(0, 100));
  put(100, "0000644");
  put(124, absl::StrFormat("%011o", content.size()));
  put(148, "        ");
  header[156] = type;
  put(257, std::string("ustar\0"
                       "00",
                       8));
  int64_t sum = 0;
  for (const char c : header) sum += static_cast<uint8_t>(c);
  put(148, absl::StrFormat("%06o", sum) + std::string("\0 ", 2));
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

std::string TarFile(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string file;
  for (const auto& [name, content] : members) file += TarMemberBytes(name, content);
  return file + std::string(1024, '\0');
}

std::string PaxRecord(const std::string& key, const std::string& value) {
  const std::string body = absl::StrCat(" ", key, "=", value, "\n");
  size_t length = body.size() + 1;
  while (absl::StrCat(length).size() + body.size() != length) ++length;
  return absl::StrCat(length, body);
}

namespace {

std::string LittleEndian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) text += static_cast<char>(value & 0xff);
  return text;
}

// Raw deflate, as zip has it.
std::string Deflate(const std::string& content) {
  z_stream stream = {};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, content.size()) + 16, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out = out.substr(0, out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

std::string NpyFile(const std::string& descr, const std::string& shape, const std::string& data,
                    bool fortran) {
  const std::string header = "{'descr': '" + descr +
                             "', 'fortran_order': " + (fortran ? "True" : "False") +
                             ", 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\x01\x00", 8) + LittleEndian(header.size(), 2) + header + data;
}

std::string ZipFile(const std::vector<std::pair<std::string, std::string>>& members,
                    bool deflated) {
  std::string file, directory;
  for (const auto& [name, content] : members) {
    const std::string stored = deflated ? Deflate(content) : content;
    const uint64_t crc =
        crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
    const std::string common =
        LittleEndian(20, 2) + LittleEndian(0, 2) + LittleEndian(deflated ? 8 : 0, 2) +
        LittleEndian(0, 4) + LittleEndian(crc, 4) + LittleEndian(stored.size(), 4) +
        LittleEndian(content.size(), 4) + LittleEndian(name.size(), 2) + LittleEndian(0, 2);
    directory += "PK\x01\x02" + LittleEndian(20, 2) + common + LittleEndian(0, 10) +
                 LittleEndian(file.size(), 4) + name;
    file += "PK\x03\x04" + common + name + stored;
  }
  const std::string count = LittleEndian(members.size(), 2);
  return file + directory + "PK\x05\x06" + LittleEndian(0, 4) + count + count +
         LittleEndian(directory.size(), 4) + LittleEndian(file.size(), 4) + LittleEndian(0, 2);
}

std::string SafetensorsFile(const std::string& name, const std::string& dtype,
                            const std::string& shape, const std::string& data) {
  const std::string header = "{\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
                             ",\"data_offsets\":[0," + std::to_string(data.size()) + "]}}";
  return LittleEndian(header.size(), 8) + header + data;
}

}  // namespace quantry::engine
