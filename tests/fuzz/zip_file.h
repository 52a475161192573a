#ifndef QUANTRY_TESTS_FUZZ_ZIP_FILE_H_
#define QUANTRY_TESTS_FUZZ_ZIP_FILE_H_

#include <string>
#include <vector>

namespace quantry {

// A member of a zip archive.
struct ZipMember {
  std::string name;
  std::string content;
};

// The members of an archive, also of one in the form of zip64; empty if it is anything else.
std::vector<ZipMember> ReadZip(const std::string& archive);

// The archive of these members, stored without compression, with right sizes and checksums.
std::string WriteZip(const std::vector<ZipMember>& members);

}  // namespace quantry

#endif  // QUANTRY_TESTS_FUZZ_ZIP_FILE_H_
