// Package mediatype tells the media type of a file by its name, and how it is
// to be sent so that it can do no harm.
//
// What is stored in a federation comes from many, and is served under one
// origin, that of the pages. A browser must not run any of it there: types that
// can hold a script are sandboxed and offered for download, scripts and styles
// are sent as plain text, and nothing is guessed from the content.
package mediatype

import (
	"net/http"
	"strings"
)

// Unknown is the type of a file whose name tells nothing.
const Unknown = "application/octet-stream"

const text = "text/plain; charset=utf-8"

// Of returns the media type of the file called name. The table is of its own
// because package mime asks the machine's, and machines differ.
func Of(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || len(name)-i > 9 {
		return Unknown
	}
	ext := name[i+1:]
	for j := range len(ext) {
		if c := ext[j]; 'A' <= c && c <= 'Z' {
			ext = strings.ToLower(ext)
			break
		}
	}
	switch ext {
	case "root":
		return "application/x-root"
	case "txt", "text", "log", "md", "csv", "tsv", "ini", "cfg", "conf", "yaml", "yml", "toml", "tex",
		"c", "h", "cc", "cpp", "cxx", "hh", "hpp", "go", "py", "sh", "f", "f90", "java", "rs", "r", "js", "mjs", "css", "diff", "patch":
		return text
	case "json", "ipynb":
		return "application/json"
	case "ndjson", "jsonl":
		return "application/x-ndjson"
	case "html", "htm":
		return "text/html; charset=utf-8"
	case "xhtml", "xht":
		return "application/xhtml+xml"
	case "xml", "xsl", "xslt":
		return "application/xml"
	case "svg":
		return "image/svg+xml"
	case "pdf":
		return "application/pdf"
	case "ps", "eps":
		return "application/postscript"
	case "png":
		return "image/png"
	case "jpg", "jpeg":
		return "image/jpeg"
	case "gif":
		return "image/gif"
	case "webp":
		return "image/webp"
	case "avif":
		return "image/avif"
	case "tif", "tiff":
		return "image/tiff"
	case "fits", "fit":
		return "image/fits"
	case "mp4", "m4v":
		return "video/mp4"
	case "webm":
		return "video/webm"
	case "mp3":
		return "audio/mpeg"
	case "ogg", "oga":
		return "audio/ogg"
	case "wav":
		return "audio/wav"
	case "flac":
		return "audio/flac"
	case "zip":
		return "application/zip"
	case "gz", "tgz":
		return "application/gzip"
	case "bz2", "tbz2":
		return "application/x-bzip2"
	case "xz", "txz":
		return "application/x-xz"
	case "zst", "zstd":
		return "application/zstd"
	case "tar":
		return "application/x-tar"
	case "7z":
		return "application/x-7z-compressed"
	case "h5", "hdf5", "hdf":
		return "application/x-hdf5"
	case "nc", "nc4":
		return "application/x-netcdf"
	case "parquet":
		return "application/vnd.apache.parquet"
	case "meta4":
		return "application/metalink4+xml"
	case "metalink":
		return "application/metalink+xml"
	}
	return Unknown
}

// Sandbox is the policy under which nothing of a document runs or is fetched.
const Sandbox = "default-src 'none'; sandbox"

// Set puts into h the type of the file called name, and what keeps a browser
// from running it.
func Set(h http.Header, name string) {
	t := Of(name)
	h["Content-Type"] = []string{t}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if active(t) {
		h["Content-Security-Policy"] = []string{Sandbox}
		// Without a name: that of the address is taken, and needs no quoting.
		h["Content-Disposition"] = []string{"attachment"}
	}
}

// active reports whether a browser might run a script in a document of type t.
// All types that end in "xml" are among them, since a style sheet turns any of
// them into HTML.
func active(t string) bool {
	return strings.HasPrefix(t, "text/html") || strings.HasSuffix(t, "xml")
}
