// Package sums computes the checksums of a file in one pass and keeps them with
// it, in an extended attribute.
//
// # The attribute
//
// user.canopy.digest holds one line: the number 1, the size of the file in
// bytes, the time of its last change in nanoseconds, its inode, and checksums in
// hexadecimal.
//
//	1 9 1425445567000000000 1234 adler32:11e60398 md5:9aaf26e9…
//
// Of a file that has since got another size, time or inode it says nothing: a
// change, or a copy that took the attribute along, makes it void. What cannot
// be read counts as not there.
package sums

import (
	"encoding/hex"
	"hash"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// attribute is the name under which the checksums are kept.
const attribute = "user.canopy.digest"

// longest is the longest attribute that is read, in bytes.
const longest = 1024

// Algorithms are those which are computed of every file that is stored, by the
// names of plugins.Digest.
func Algorithms() []string { return []string{"adler32", "md5", "sha-256", "crc32c"} }

// Version tells one content of a file from the next.
type Version struct {
	// Size is in bytes, Changed the time of the last change in nanoseconds
	// since 1970.
	Size, Changed int64
	Inode         uint64
}

// Running is checksums being computed.
type Running struct {
	names  []string
	hashes []hash.Hash
}

// New begins the checksums by Algorithms and by those of further which are
// known.
func New(further ...string) *Running {
	r := new(Running)
	for _, name := range append(Algorithms(), further...) {
		if h := digest.New(name); h != nil && !slices.Contains(r.names, name) {
			r.names, r.hashes = append(r.names, name), append(r.hashes, h)
		}
	}
	return r
}

// apart is how many bytes are worth a goroutine for each checksum.
const apart = 64 << 10

// Write adds p to all checksums. It has read p when it returns.
func (r *Running) Write(p []byte) (int, error) {
	if len(p) < apart {
		for _, h := range r.hashes {
			h.Write(p)
		}
		return len(p), nil
	}
	var all sync.WaitGroup
	for _, h := range r.hashes {
		all.Go(func() { h.Write(p) })
	}
	all.Wait()
	return len(p), nil
}

// Digests returns the checksums of what has been written so far.
func (r *Running) Digests() []plugins.Digest {
	digests := make([]plugins.Digest, len(r.names))
	for i, name := range r.names {
		digests[i] = plugins.Digest{Algorithm: name, Sum: string(r.hashes[i].Sum(nil))}
	}
	return digests
}

// Keep notes the digests of f, which is of that version. An error means that
// the file system keeps no such attributes, or not for us.
func Keep(f *os.File, v Version, digests []plugins.Digest) error {
	return set(f, attribute, []byte(format(v, digests)))
}

// Kept returns the digests noted for f if it is of that version, nil if there
// are none.
func Kept(f *os.File, v Version) []plugins.Digest {
	var buffer [longest]byte
	n, err := get(f, attribute, buffer[:])
	if err != nil {
		return nil
	}
	of, digests := parse(string(buffer[:n]))
	if of != v {
		return nil
	}
	return digests
}

func format(v Version, digests []plugins.Digest) string {
	b := append(make([]byte, 0, 256), "1 "...)
	b = strconv.AppendInt(b, v.Size, 10)
	b = strconv.AppendInt(append(b, ' '), v.Changed, 10)
	b = strconv.AppendUint(append(b, ' '), v.Inode, 10)
	for _, d := range digests {
		b = append(append(append(b, ' '), d.Algorithm...), ':')
		b = hex.AppendEncode(b, []byte(d.Sum))
	}
	return string(b)
}

// parse reads an attribute. Of one that cannot be read the digests are nil.
func parse(text string) (Version, []plugins.Digest) {
	fields := strings.Split(text, " ")
	if len(fields) < 5 || fields[0] != "1" {
		return Version{}, nil
	}
	var v Version
	var errs [3]error
	v.Size, errs[0] = strconv.ParseInt(fields[1], 10, 64)
	v.Changed, errs[1] = strconv.ParseInt(fields[2], 10, 64)
	v.Inode, errs[2] = strconv.ParseUint(fields[3], 10, 64)
	if errs != [3]error{} {
		return Version{}, nil
	}
	var digests []plugins.Digest
	for _, field := range fields[4:] {
		name, value, _ := strings.Cut(field, ":")
		sum, err := hex.DecodeString(value)
		d := plugins.Digest{Algorithm: name, Sum: string(sum)}
		if err != nil || !digest.Valid(d) {
			return Version{}, nil
		}
		digests = append(digests, d)
	}
	return v, digests
}
