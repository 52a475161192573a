#ifndef QUANTRY_TESTS_SERVER_POSTGRES_SERVER_H_
#define QUANTRY_TESTS_SERVER_POSTGRES_SERVER_H_

#include <memory>
#include <string>

#include "common/process.h"
#include "tests/server/temp_folder.h"

namespace quantry::server {

// A real PostgreSQL server in a folder of its own, from Debian's packages, reached by a Unix
// socket. Started as root it runs as the user "postgres", since it refuses to be root.
class PostgresServer {
 public:
  // The one server of this test program, started on first use; it ends with the program.
  static PostgresServer& Get();

  // Makes an empty database and returns its URL.
  std::string NewDatabase();

  // Runs a statement as the superuser.
  void Run(const std::string& sql);

 private:
  PostgresServer();

  TempFolder folder_;
  std::string binaries_;  // folder of initdb, postgres, psql
  std::unique_ptr<Process> process_;
  int databases_ = 0;
};

}  // namespace quantry::server

#endif  // QUANTRY_TESTS_SERVER_POSTGRES_SERVER_H_
