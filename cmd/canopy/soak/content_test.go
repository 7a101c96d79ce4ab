package soak

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"

	"canopy/federator/write/history"
)

// fileOf returns a file of size bytes, which tells of itself which version it
// is, how long it is, and what the sum of its bytes is.
func fileOf(v history.Version, size int) []byte {
	h := fnv.New64a()
	h.Write([]byte(v))
	random := rand.New(rand.NewPCG(h.Sum64(), 0))
	body := make([]byte, size)
	for i := 0; i < size; i += 8 {
		x := random.Uint64()
		for j := i; j < min(i+8, size); j++ {
			body[j] = byte(x)
			x >>= 8
		}
	}
	return append(fmt.Appendf(nil, "soak %s %d %x\n", v, size, sha256.Sum256(body)), body...)
}

// versionOf returns which version a file is, if it is whole.
func versionOf(b []byte) (history.Version, error) {
	head, _, ok := bytes.Cut(b[:min(len(b), 200)], []byte("\n"))
	var v string
	var size int
	var sum []byte
	if !ok {
		return "", fmt.Errorf("%d bytes without a first line", len(b))
	}
	if _, err := fmt.Sscanf(string(head), "soak %s %d %x", &v, &size, &sum); err != nil {
		return "", fmt.Errorf("%d bytes that begin with %.100q: %w", len(b), head, err)
	}
	body := b[len(head)+1:]
	if is := sha256.Sum256(body); len(body) != size || !bytes.Equal(is[:], sum) {
		return "", fmt.Errorf("of version %s %d bytes instead of %d, or others", v, len(body), size)
	}
	return history.Version(v), nil
}

func TestVersionOf(t *testing.T) {
	whole := fileOf("c1-7", 1000)
	if v, err := versionOf(whole); v != "c1-7" || err != nil {
		t.Errorf("whole: %q, %v", v, err)
	}
	flipped := bytes.Clone(whole)
	flipped[500]++
	for name, b := range map[string][]byte{"empty": nil, "cut": whole[:900], "longer": append(whole, 'x'), "flipped": flipped, "head": whole[:20]} {
		if v, err := versionOf(b); err == nil {
			t.Errorf("%s is taken for %q", name, v)
		}
	}
}
