package transfer

import (
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// checked passes content on, whose end it tells only if size and checksums are
// what they should be.
type checked struct {
	from io.Reader
	// size is negative where it is not known.
	size, passed int64
	sums         []plugins.Digest
	hashes       []hash.Hash
	names        []string
	// later, when set, waits for sums that were not known at first.
	later func() ([]plugins.Digest, error)
	// count is told how much passes.
	count func(int)
	// begun is called before the first byte is asked for, once.
	begun func()

	mu  sync.Mutex // for who reads on when it is over already
	err error
}

// check returns content that must have the size and sums. Checksums by further
// algorithms are computed on the way.
func check(from io.Reader, size int64, sums []plugins.Digest, further ...string) *checked {
	c := &checked{from: from, size: size, sums: sums}
	for _, d := range sums {
		c.add(d.Algorithm)
	}
	for _, name := range further {
		c.add(name)
	}
	return c
}

func (c *checked) add(algorithm string) {
	if h := digest.New(algorithm); h != nil && !slices.Contains(c.names, algorithm) {
		c.names, c.hashes = append(c.names, algorithm), append(c.hashes, h)
	}
}

// Read implements io.Reader. The last bytes are held back until the verdict, so
// that content which is not right never arrives as if it were whole.
func (c *checked) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun != nil {
		c.begun()
		c.begun = nil
	}
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	n, err := c.from.Read(p)
	for _, h := range c.hashes {
		h.Write(p[:n])
	}
	c.passed += int64(n)
	if err == nil && c.passed == c.size {
		err = c.probe()
	}
	if err == io.EOF {
		err = c.verdict()
	}
	if c.err = err; err != nil && err != io.EOF {
		return 0, err
	}
	if c.count != nil {
		c.count(n)
	}
	return n, err
}

// probe looks whether the content goes on beyond its size.
func (c *checked) probe() error {
	var one [1]byte
	n, err := io.ReadFull(c.from, one[:])
	c.passed += int64(n)
	if n > 0 {
		return io.EOF
	}
	return err
}

// end lets nobody read any more, and returns what the last Read did.
func (c *checked) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.err
	if c.err == nil {
		c.err = io.ErrClosedPipe
	}
	return err
}

// verdict is what the end of the content comes to.
func (c *checked) verdict() error {
	if c.size >= 0 && c.passed != c.size {
		return fmt.Errorf("%w: %d bytes instead of %d", errChanged, c.passed, c.size)
	}
	if c.later != nil {
		var err error
		if c.sums, err = c.later(); err != nil {
			return err
		}
	}
	if wrong, _ := compare(c.digests(), c.sums); wrong != "" {
		return fmt.Errorf("%w (%s)", errSum, wrong)
	}
	return io.EOF
}

// digests returns the checksums of what has passed.
func (c *checked) digests() []plugins.Digest {
	ds := make([]plugins.Digest, len(c.hashes))
	for i, h := range c.hashes {
		ds[i] = plugins.Digest{Algorithm: c.names[i], Sum: string(h.Sum(nil))}
	}
	return ds
}

// compare returns an algorithm by which a and b differ, "" if there is none,
// and whether there is one by which they agree.
func compare(a, b []plugins.Digest) (wrong string, agree bool) {
	for _, x := range a {
		for _, y := range b {
			if x.Algorithm != y.Algorithm {
				continue
			}
			if x.Sum != y.Sum {
				return x.Algorithm, false
			}
			agree = true
		}
	}
	return "", agree
}
