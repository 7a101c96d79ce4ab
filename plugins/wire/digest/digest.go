// Package digest reads and writes checksums as HTTP carries them.
//
// Three conventions are in use, and storages mix them:
//
//   - Digest and Want-Digest (RFC 3230): a list "adler32=03da0195,md5=rL0Y…==".
//     The grid's storages and clients write the short checksums (adler32,
//     crc32, crc32c) in hexadecimal and the others in base64, and so does this
//     package. When reading, either notation is taken for any algorithm: their
//     lengths tell them apart.
//   - Repr-Digest, Content-Digest and Want-Repr-Digest (RFC 9530): dictionaries
//     of byte sequences, "sha-256=:base64:", and of preferences, "sha-256=10".
//   - Content-MD5 (RFC 1864): one base64 value.
//
// Everywhere else an algorithm goes by one lower-case name, the one of
// plugins.Digest: "adler32", "crc32", "crc32c", "md5", "sha" (SHA-1),
// "sha-256", "sha-512". Name turns the many spellings into it. Other algorithms
// are passed over: a header never fails to parse, it only holds less.
package digest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"strings"

	"canopy/plugins"
)

// algorithm is what there is to know of one checksum.
type algorithm struct {
	name string
	// size is the length of the value in bytes.
	size int
	// repr is the key in the dictionaries of RFC 9530.
	repr string
}

var algorithms = [...]algorithm{
	{"adler32", 4, "adler"},
	{"crc32", 4, "crc32"},
	{"crc32c", 4, "crc32c"},
	{"md5", md5.Size, "md5"},
	{"sha", sha1.Size, "sha"},
	{"sha-256", sha256.Size, "sha-256"},
	{"sha-512", sha512.Size, "sha-512"},
}

// lookup finds an algorithm by any of its spellings.
func lookup(spelling string) (algorithm, bool) {
	if len(spelling) > len("adler-32") {
		return algorithm{}, false
	}
	s := strings.ToLower(spelling)
	switch s {
	case "adler", "adler-32":
		s = "adler32"
	case "crc-32":
		s = "crc32"
	case "crc-32c":
		s = "crc32c"
	case "sha1", "sha-1":
		s = "sha"
	case "sha256":
		s = "sha-256"
	case "sha512":
		s = "sha-512"
	}
	for _, a := range algorithms {
		if a.name == s {
			return a, true
		}
	}
	return algorithm{}, false
}

// short reports whether the grid writes the checksum in hexadecimal.
func (a algorithm) short() bool { return a.size == 4 }

// Name returns the one name of the algorithm that is spelt so, in any case and
// with or without its dash ("SHA1", "sha-1" and "sha" are all "sha"), and
// whether it is known.
func Name(spelling string) (string, bool) {
	a, ok := lookup(spelling)
	return a.name, ok
}

// Size returns the length of the algorithm's value in bytes, 0 if it is not
// known.
func Size(algorithm string) int {
	a, _ := lookup(algorithm)
	return a.size
}

// New returns a running checksum by algorithm, nil if it is not known. Its Sum
// is what plugins.Digest holds.
func New(algorithm string) hash.Hash {
	a, _ := lookup(algorithm)
	switch a.name {
	case "adler32":
		return adler32.New()
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "md5":
		return md5.New()
	case "sha":
		return sha1.New()
	case "sha-256":
		return sha256.New()
	case "sha-512":
		return sha512.New()
	}
	return nil
}

// Valid reports whether d has a known algorithm by its one name and a value of
// the right length.
func Valid(d plugins.Digest) bool {
	a, ok := lookup(d.Algorithm)
	return ok && a.name == d.Algorithm && len(d.Sum) == a.size
}

// Hex returns the value of d in lower-case hexadecimal, as command-line tools
// print it.
func Hex(d plugins.Digest) string { return hex.EncodeToString([]byte(d.Sum)) }

// Base64 returns the value of d in padded base64.
func Base64(d plugins.Digest) string {
	return base64.StdEncoding.EncodeToString([]byte(d.Sum))
}

// Decode returns the digest whose value is written in hexadecimal of either
// case or in padded base64, and whether algorithm and value are sound. Some
// storages drop the leading zeros of the short checksums; they are put back.
func Decode(algorithm, value string) (plugins.Digest, bool) {
	a, ok := lookup(algorithm)
	if !ok {
		return plugins.Digest{}, false
	}
	text := value
	if n := 2 * a.size; a.short() && len(text) > 0 && len(text) < n {
		text = strings.Repeat("0", n-len(text)) + text
	}
	var sum []byte
	var err error
	switch len(text) {
	case 2 * a.size:
		if sum, err = hex.DecodeString(text); err == nil {
			break
		}
		// Four bytes take eight characters in base64 too, the last two of
		// which are padding and so never hexadecimal.
		if !a.short() {
			return plugins.Digest{}, false
		}
		fallthrough
	case base64.StdEncoding.EncodedLen(a.size):
		sum, err = base64.StdEncoding.Strict().DecodeString(value)
	default:
		return plugins.Digest{}, false
	}
	if err != nil || len(sum) != a.size {
		return plugins.Digest{}, false
	}
	return plugins.Digest{Algorithm: a.name, Sum: string(sum)}, true
}
