// The layout is that of PKWARE's APPNOTE 6.3.3, sections 4.3.7 (local header), 4.3.12 (directory)
// and 4.3.16 (end).
#include "tests/fuzz/zip_file.h"

#include <zlib.h>

#include <cstdint>
#include <utility>

namespace quantry {
namespace {

void Put(std::string& out, uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
}

uint32_t Get(const std::string& in, size_t at, int bytes) {
  uint32_t number = 0;
  for (int i = 0; i < bytes; ++i) {
    number |= static_cast<uint32_t>(static_cast<uint8_t>(in[at + static_cast<size_t>(i)]))
              << (8 * i);
  }
  return number;
}

// What local header and directory have in common.
void PutCommon(std::string& out, const ZipMember& member) {
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(member.content.data()),
                          static_cast<uInt>(member.content.size()));
  Put(out, 10, 2);  // version needed
  Put(out, 0, 2);   // flags
  Put(out, 0, 2);   // stored
  Put(out, 0, 4);   // time and date
  Put(out, crc, 4);
  Put(out, member.content.size(), 4);
  Put(out, member.content.size(), 4);
  Put(out, member.name.size(), 2);
  Put(out, 0, 2);  // no extra field
}

constexpr uint32_t kInWide = 0xffffffff;  // the number stands in the zip64 field

// Where a member's data are. Files of tests are far below 4 GiB.
struct Place {
  size_t size = 0;
  size_t packed = 0;
  size_t local = 0;  // its header
};

// From its directory entry at `at` (APPNOTE 4.5.3: the zip64 field has only what does not fit).
Place PlaceOf(const std::string& archive, size_t at) {
  Place place{Get(archive, at + 24, 4), Get(archive, at + 20, 4), Get(archive, at + 42, 4)};
  size_t extra = at + 46 + Get(archive, at + 28, 2);
  const size_t extra_end = extra + Get(archive, at + 30, 2);
  while (extra + 4 <= extra_end && Get(archive, extra, 2) != 1) {
    extra += 4 + Get(archive, extra + 2, 2);
  }
  extra += 4;
  for (size_t* number : {&place.size, &place.packed, &place.local}) {
    if (*number != kInWide || extra + 8 > extra_end) continue;
    *number = Get(archive, extra, 4);
    extra += 8;
  }
  return place;
}

std::string Inflated(const std::string& packed, size_t size) {
  std::string content(size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return "";
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(content.data());
  stream.avail_out = static_cast<uInt>(size);
  inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  return content;
}

}  // namespace

std::vector<ZipMember> ReadZip(const std::string& archive) {
  constexpr size_t kEntry = 46;
  const size_t end = archive.rfind("PK\x05\x06");
  const size_t wide_end = archive.rfind("PK\x06\x06");
  if (end == std::string::npos || end + 22 > archive.size()) return {};
  size_t at = Get(archive, end + 16, 4);
  if (at == kInWide && wide_end != std::string::npos) at = Get(archive, wide_end + 48, 4);
  std::vector<ZipMember> members;
  while (at + kEntry <= archive.size() && archive.compare(at, 4, "PK\x01\x02") == 0) {
    const Place place = PlaceOf(archive, at);
    const size_t name = Get(archive, at + 28, 2);
    if (place.local + 30 > archive.size()) return {};
    const size_t data =
        place.local + 30 + Get(archive, place.local + 26, 2) + Get(archive, place.local + 28, 2);
    if (data + place.packed > archive.size()) return {};
    std::string content = archive.substr(data, place.packed);
    if (Get(archive, at + 10, 2) != 0) content = Inflated(content, place.size);
    members.push_back({archive.substr(at + kEntry, name), std::move(content)});
    at += kEntry + name + Get(archive, at + 30, 2) + Get(archive, at + 32, 2);
  }
  return members;
}

std::string WriteZip(const std::vector<ZipMember>& members) {
  std::string archive, directory;
  for (const ZipMember& member : members) {
    Put(directory, 0x02014b50, 4);
    Put(directory, 10, 2);  // made by
    PutCommon(directory, member);
    Put(directory, 0, 2);  // comment
    Put(directory, 0, 2);  // disk
    Put(directory, 0, 2);  // internal attributes
    Put(directory, 0, 4);  // external ones
    Put(directory, archive.size(), 4);
    directory += member.name;
    Put(archive, 0x04034b50, 4);
    PutCommon(archive, member);
    archive += member.name;
    archive += member.content;
  }
  const size_t start = archive.size();
  archive += directory;
  Put(archive, 0x06054b50, 4);
  Put(archive, 0, 4);  // disks
  Put(archive, members.size(), 2);
  Put(archive, members.size(), 2);
  Put(archive, directory.size(), 4);
  Put(archive, start, 4);
  Put(archive, 0, 2);
  return archive;
}

}  // namespace quantry
