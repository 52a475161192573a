#ifndef QUANTRY_SERVER_STORE_JOB_QUERY_SQL_H_
#define QUANTRY_SERVER_STORE_JOB_QUERY_SQL_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "server/core/job_query.h"
#include "server/store/sql_connection.h"

namespace quantry::server {

// A SELECT of jobs and the values of its parameters. All that clients write is a parameter.
struct JobQuerySql {
  std::string sql;
  std::vector<std::variant<int64_t, std::string>> values;

  void Bind(SqlStatement& statement) const;
};

// Selects kJobColumns of the jobs that the query asks for, in its order.
JobQuerySql MakeJobQuerySql(const JobQuery& query);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_JOB_QUERY_SQL_H_
