package local

import (
	"context"
	"io"
	"os"
	"slices"
	"time"

	"canopy/plugins"
	"canopy/plugins/local/sums"
	"canopy/plugins/wire/digest"
)

// settled is how long a file must have been left alone before its checksums are
// kept: file systems tell times in steps, and of two changes within one step
// the second would not show.
const settled = 2 * time.Second

// Digest implements plugins.Digester. A checksum that is not kept is computed
// by reading the file, and kept then.
func (e *endpoint) Digest(ctx context.Context, p, algorithm string) (plugins.Digest, error) {
	if name, known := digest.Name(algorithm); !known || name != algorithm {
		return plugins.Digest{}, &plugins.Error{Kind: plugins.Unsupported, Op: "digest", Path: p}
	}
	root, found, err := e.look(ctx, "digest", p)
	if err != nil {
		return plugins.Digest{}, err
	}
	before := kept(root, p)
	if d, ok := by(algorithm, before); ok && found.Kind == plugins.File {
		return d, nil
	}
	// The tag must hold to the end: of a file that changes meanwhile the sum
	// would be of nothing that ever was.
	body, err := e.open(ctx, "digest", p, plugins.Range{Length: -1, IfMatch: found.ETag})
	if err != nil {
		return plugins.Digest{}, err
	}
	defer body.Close()
	further := []string{algorithm}
	for _, d := range before {
		further = append(further, d.Algorithm)
	}
	running := sums.New(further...)
	if _, err := io.CopyBuffer(running, body, make([]byte, 1<<20)); err != nil {
		return plugins.Digest{}, plugins.Fail("digest", p, err)
	}
	digests := running.Digests()
	if s, ok := body.ReadCloser.(*stream); ok && time.Since(s.facts.changed) > settled {
		// Where nothing can be kept it is computed anew each time.
		_ = sums.Keep(s.f, s.facts.version(), digests)
	}
	d, _ := by(algorithm, digests)
	return d, nil
}

func by(algorithm string, digests []plugins.Digest) (plugins.Digest, bool) {
	i := slices.IndexFunc(digests, func(d plugins.Digest) bool { return d.Algorithm == algorithm })
	if i < 0 {
		return plugins.Digest{}, false
	}
	return digests[i], true
}

// kept returns the digests that are kept with the file at p.
func kept(root *os.Root, p string) []plugins.Digest {
	f, err := root.OpenFile(inside(p), os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	return keptWith(f)
}

func keptWith(f *os.File) []plugins.Digest {
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	return sums.Kept(f, factsOf(info).version())
}

func (f facts) version() sums.Version {
	return sums.Version{Size: f.size, Changed: f.changed.UnixNano(), Inode: f.inode}
}
