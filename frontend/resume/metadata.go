package resume

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"canopy/federator/write"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// maxMetadata bounds the length of Upload-Metadata.
const maxMetadata = 16 << 10

// file is what a client says of the file that it uploads.
type file struct {
	path    string
	digests []plugins.Digest
	isNew   bool
	modTime time.Time
}

// parse reads Upload-Metadata: pairs of a key and a value in base64, separated
// by commas. What cannot be read is an error, so that nobody's "overwrite F" is
// lost by a mistake in its notation.
func parse(header string) (file, error) {
	if len(header) > maxMetadata {
		return file{}, errors.New("it is too long")
	}
	meta := make(map[string]string)
	for element := range strings.SplitSeq(header, ",") {
		key, value, _ := strings.Cut(strings.Trim(element, " \t"), " ")
		if key == "" {
			continue
		}
		if _, twice := meta[key]; twice {
			return file{}, errors.New("a key is there twice")
		}
		decoded, err := base64.StdEncoding.DecodeString(value)
		if err != nil || strings.ContainsAny(value, "\r\n") {
			return file{}, errors.New("a value is not in base64")
		}
		meta[key] = string(decoded)
	}
	return fromMeta(meta)
}

// fromMeta reads the pairs of Upload-Metadata. Those of unknown keys mean
// nothing here.
func fromMeta(meta map[string]string) (file, error) {
	f := file{path: meta["path"]}
	if f.path == "" {
		return f, errors.New(`the path of the file is missing: "path", and the path in base64`)
	}
	if text := meta["digest"]; text != "" {
		f.digests = digest.ParseDigest(text)
		if len(f.digests) == 0 {
			return f, errors.New(`the digest is none that is known; write it as "sha-256=…" or "adler32=…"`)
		}
	}
	switch strings.ToUpper(meta["overwrite"]) {
	case "", "T":
	case "F":
		f.isNew = true
	default:
		return f, errors.New(`overwrite is "T" or "F"`)
	}
	if text := meta["mtime"]; text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > maxSeconds {
			return f, fmt.Errorf("mtime is in seconds since 1970")
		}
		whole, part := math.Modf(seconds)
		f.modTime = time.Unix(int64(whole), int64(part*1e9))
	}
	return f, nil
}

// maxSeconds is at the end of the year 9999, the last that headers can tell.
const maxSeconds = 253402300799

// about is the file for package write, with its size in bytes.
func (f *file) about(size int64) write.File {
	return write.File{Size: size, ModTime: f.modTime, Digests: f.digests, New: f.isNew}
}

// coded returns the pairs with values that survive JSON, which has no bytes
// that are not UTF-8; decoded is the way back.
func coded(meta map[string]string) map[string]string {
	all := make(map[string]string, len(meta))
	for k, v := range meta {
		all[k] = base64.StdEncoding.EncodeToString([]byte(v))
	}
	return all
}

func decoded(meta map[string]string) map[string]string {
	all := make(map[string]string, len(meta))
	for k, v := range meta {
		if b, err := base64.StdEncoding.DecodeString(v); err == nil {
			all[k] = string(b)
		}
	}
	return all
}
