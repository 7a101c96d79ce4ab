package plugintest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"hash/crc32"

	"canopy/plugins"
)

func digestChecks() []check {
	return []check{
		{name: "digest/values", needs: NoDigest, run: digestValues},
		{name: "digest/unknown algorithm", needs: NoDigest, run: digestUnknown},
		{name: "digest/absent", needs: NoDigest, run: digestAbsent},
		{name: "digest/directory", needs: NoDigest, run: digestDirectory},
	}
}

// checksums are computed here and not by package digest, so that a mistake
// there shows.
func checksums() map[string]hash.Hash {
	return map[string]hash.Hash{
		"adler32": adler32.New(),
		"crc32":   crc32.NewIEEE(),
		"crc32c":  crc32.New(crc32.MakeTable(crc32.Castagnoli)),
		"md5":     md5.New(),
		"sha":     sha1.New(),
		"sha-256": sha256.New(),
		"sha-512": sha512.New(),
	}
}

func sum(algorithm, content string) (string, bool) {
	h := checksums()[algorithm]
	if h == nil {
		return "", false
	}
	h.Write([]byte(content))
	return string(h.Sum(nil)), true
}

// digestsHold demands that all digests of which the algorithm is known are
// those of content.
func digestsHold(digests []plugins.Digest, content string) error {
	for _, d := range digests {
		if want, known := sum(d.Algorithm, content); known && d.Sum != want {
			return fmt.Errorf("%s is %x, want %x", d.Algorithm, d.Sum, want)
		}
	}
	return nil
}

func digestValues(b *bench) error {
	contents := map[string]string{"wikipedia": "Wikipedia", "empty": "", "big": alphabet(3 << 20)}
	var errs []error
	supported := 0
	for name, content := range contents {
		b.seed(Node{Path: name, Content: content})
		for algorithm := range checksums() {
			d, err := b.able.Digester.Digest(b.ctx, b.at(name), algorithm)
			if plugins.KindOf(err) == plugins.Unsupported {
				continue
			}
			supported++
			want, _ := sum(algorithm, content)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("%s of %s: %w", algorithm, name, err))
			case d.Algorithm != algorithm || d.Sum != want:
				errs = append(errs, fmt.Errorf("%s of %s: got %s %x, want %x", algorithm, name, d.Algorithm, d.Sum, want))
			}
		}
	}
	if supported == 0 {
		errs = append(errs, errors.New("no algorithm is supported"))
	}
	return errors.Join(errs...)
}

func digestUnknown(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	var errs []error
	for _, algorithm := range []string{"rot13", "", "md5\r\nX-Evil: 1"} {
		_, err := b.able.Digester.Digest(b.ctx, b.at("file"), algorithm)
		errs = append(errs, b.fails(fmt.Sprintf("algorithm %q", algorithm), err, plugins.Unsupported))
	}
	return errors.Join(errs...)
}

// supported returns an algorithm that works here.
func (b *bench) supported() (string, error) {
	b.seed(Node{Path: "supported", Content: "x"})
	for _, algorithm := range []string{"adler32", "md5", "sha-256", "crc32c", "sha", "sha-512", "crc32"} {
		if _, err := b.able.Digester.Digest(b.ctx, b.at("supported"), algorithm); err == nil {
			return algorithm, nil
		}
	}
	return "", errors.New("no algorithm is supported")
}

func digestAbsent(b *bench) error {
	algorithm, err := b.supported()
	if err != nil {
		return err
	}
	_, err = b.able.Digester.Digest(b.ctx, b.at("absent"), algorithm)
	return b.fails("digest of what is absent", err, plugins.NotFound)
}

func digestDirectory(b *bench) error {
	algorithm, err := b.supported()
	if err != nil {
		return err
	}
	_, err = b.able.Digester.Digest(b.ctx, b.dir, algorithm)
	return b.fails("digest of a directory", err, plugins.IsDirectory, plugins.Unsupported)
}
