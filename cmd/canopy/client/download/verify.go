package download

import (
	"context"
	"fmt"
	"hash"
	"io"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// strengths are the algorithms that are believed, the strongest first. By
// crc32 storages mean different functions, so it is none of them.
var strengths = [...]string{"sha-512", "sha-256", "sha", "md5", "crc32c", "adler32"}

// strongest returns the checksum among ds that says most, and whether there is
// one.
func strongest(ds []plugins.Digest) (plugins.Digest, bool) {
	for _, algorithm := range strengths {
		for _, d := range ds {
			if d.Algorithm == algorithm && digest.Valid(d) {
				return d, true
			}
		}
	}
	return plugins.Digest{}, false
}

// agree reports whether a and b have an algorithm in common, and whether all
// that are common have the same value.
func agree(a, b []plugins.Digest) (common, same bool) {
	same = true
	for _, x := range a {
		for _, y := range b {
			if x.Algorithm == y.Algorithm && x.Algorithm != "crc32" {
				common = true
				same = same && x.Sum == y.Sum
			}
		}
	}
	return common, same
}

// mismatch is a checksum that is not what it should be.
type mismatch struct {
	want plugins.Digest
	got  plugins.Digest
}

func (m *mismatch) Error() string {
	return fmt.Sprintf("the content has the %s %s, not %s", m.want.Algorithm, digest.Hex(m.got), digest.Hex(m.want))
}

// newSum returns a running checksum for d, nil if d is none.
func newSum(d plugins.Digest) hash.Hash {
	return digest.New(d.Algorithm)
}

// compare returns a *mismatch if sum is not want.
func compare(sum hash.Hash, want plugins.Digest) error {
	if got := string(sum.Sum(nil)); got != want.Sum {
		return &mismatch{want: want, got: plugins.Digest{Algorithm: want.Algorithm, Sum: got}}
	}
	return nil
}

// verify reads r and compares its checksum.
func verify(ctx context.Context, r io.Reader, want plugins.Digest) error {
	sum := newSum(want)
	if _, err := io.CopyBuffer(sum, stopping{ctx, r}, make([]byte, 1<<20)); err != nil {
		return err
	}
	return compare(sum, want)
}

// stopping is a reader that ends with its context.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
