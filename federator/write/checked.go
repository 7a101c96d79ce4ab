package write

import (
	"bytes"
	"errors"
	"hash"
	"io"

	"canopy/plugins"
)

// ErrChecksum is the error of a file whose bytes are not those that a checksum
// was stated for. Nothing of it is kept.
var ErrChecksum = errors.New("the checksum is not the one that was stated")

// checked returns content, which ends with ErrChecksum if it does not have one
// of the sums. Algorithms that are not known are passed over.
func (w *Writer) checked(content io.Reader, sums []plugins.Digest) io.Reader {
	c := &checking{r: content}
	for _, s := range sums {
		if h := w.hash(s.Algorithm); h != nil {
			c.hashes, c.sums = append(c.hashes, h), append(c.sums, s)
		}
	}
	if len(c.sums) == 0 {
		return content
	}
	return c
}

type checking struct {
	r      io.Reader
	hashes []hash.Hash
	sums   []plugins.Digest
}

func (c *checking) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for _, h := range c.hashes {
		h.Write(p[:n])
	}
	if err == io.EOF {
		for i, h := range c.hashes {
			if !bytes.Equal(h.Sum(nil), []byte(c.sums[i].Sum)) {
				return n, ErrChecksum
			}
		}
	}
	return n, err
}
