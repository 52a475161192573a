"""A bucket per folder of FOLDER, behind Signature Version 4, for tests of s3:// URIs.

s3_server.py FOLDER: prints "PORT n". The signature is computed anew from the published rules, with
hmac alone. Listings come in pages of two keys. The bucket "public" needs no signature. A bucket may
be named in the path or in the host (BUCKET.localhost).
"""

import datetime
import hashlib
import hmac
import sys
import urllib.parse
from xml.sax.saxutils import escape

import object_server

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION = "session/token+with=signs=="
REGION = "eu-test-1"
PAGE = 2


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def quote(text, safe=""):
    return urllib.parse.quote(text, safe="-._~" + safe)


class S3Handler(object_server.Handler):
    def refuse(self, status, code, **headers):
        body = ("<?xml version='1.0'?><Error><Code>%s</Code><Message>%s</Message></Error>" %
                (code, SECRET)).encode()
        self.answer(status, body, **headers)

    def fault(self, path, query):
        """What is wrong with the request's signature; None: nothing."""
        given = self.headers.get("Authorization", "")
        if not given.startswith("AWS4-HMAC-SHA256 "):
            return "AccessDenied"
        fields = dict(part.strip().split("=", 1)
                      for part in given[len("AWS4-HMAC-SHA256 "):].split(","))
        key_id, date, region, service, last = fields["Credential"].split("/")
        if key_id != KEY_ID:
            return "InvalidAccessKeyId"
        if (region, service, last) != (REGION, "s3", "aws4_request"):
            return "AuthorizationHeaderMalformed"
        stamp = self.headers.get("x-amz-date", "")
        when = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
        if abs((datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - when).total_seconds()) > 900 or stamp[:8] != date:
            return "RequestTimeTooSkewed"
        names = fields["SignedHeaders"].split(";")
        must = {"host", "x-amz-date", "x-amz-content-sha256"}
        if self.headers.get("x-amz-security-token") is not None:
            must.add("x-amz-security-token")
        if not must <= set(names) or names != sorted(names):
            return "MissingSecurityHeader"
        headers = "".join("%s:%s\n" % (name, " ".join(self.headers[name].split()))
                          for name in names)
        pairs = sorted((quote(k), quote(v)) for k, v in query)
        request = "\n".join(["GET", quote(path, "/"), "&".join(k + "=" + v for k, v in pairs),
                             headers, ";".join(names), self.headers["x-amz-content-sha256"]])
        scope = "/".join([date, region, service, "aws4_request"])
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                          hashlib.sha256(request.encode()).hexdigest()])
        key = ("AWS4" + SECRET).encode()
        for part in (date, region, service, "aws4_request"):
            key = sign(key, part)
        expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, fields["Signature"]):
            return "SignatureDoesNotMatch"
        token = self.headers.get("x-amz-security-token", SESSION)
        return None if token == SESSION else "InvalidToken"

    def do_GET(self):
        if self.path == "/_log":
            super().do_GET()
            return
        raw, _, raw_query = self.path.partition("?")
        query = urllib.parse.parse_qsl(raw_query, keep_blank_values=True)
        path = urllib.parse.unquote(raw)
        host = self.headers.get("Host", "").split(":")[0]
        if host.endswith(".localhost"):
            bucket, key = host[:-len(".localhost")], path[1:]
        else:
            bucket, _, key = path[1:].partition("/")
        if bucket == "elsewhere":
            self.refuse(301, "PermanentRedirect", x_amz_bucket_region="mars-north-1")
            return
        fault = None if bucket == "public" else self.fault(path, query)
        folder = self.memory.folder / bucket
        if fault:
            self.refuse(403, fault)
        elif not folder.is_dir():
            self.refuse(404, "NoSuchBucket")
        elif key == "":
            self.list(folder, dict(query))
        elif not (folder / key).is_file():
            self.refuse(404, "NoSuchKey")
        else:
            rules = {"cut": "1000"} if key.endswith("cut.tar") else {}
            self.send_file(folder / key, rules, self.memory.number_of(path))

    def list(self, folder, query):
        if query.get("list-type") != "2" or query.get("encoding-type") != "url":
            self.refuse(400, "InvalidArgument")
            return
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        keys = sorted(str(file.relative_to(folder)) for file in folder.rglob("*")
                      if file.is_file())
        keys = [key for key in keys if key.startswith(prefix) and
                not (delimiter and delimiter in key[len(prefix):])]
        start = 0
        if "continuation-token" in query:
            start = int(query["continuation-token"].split("&/+=")[1])
        more = start + PAGE < len(keys)
        contents = "".join("<Contents><Key>%s</Key><Size>1</Size></Contents>" %
                           escape(urllib.parse.quote_plus(key, safe="/"))
                           for key in keys[start:start + PAGE])
        token = "<NextContinuationToken>%s</NextContinuationToken>" % escape(
            "to&/+=%d" % (start + PAGE)) if more else ""
        body = ("<?xml version='1.0' encoding='UTF-8'?>"
                "<ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
                "<EncodingType>url</EncodingType><IsTruncated>%s</IsTruncated>%s%s"
                "</ListBucketResult>" % ("true" if more else "false", token, contents))
        self.answer(200, body.encode())


if __name__ == "__main__":
    object_server.serve(S3Handler, sys.argv[1])
