package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"canopy/plugins"
)

func storeChecks() []check {
	return []check{
		{name: "store/new", needs: NoWrite, run: storeNew},
		{name: "store/over a file", needs: NoWrite, run: storeOverFile},
		{name: "store/empty", needs: NoWrite, run: storeEmpty},
		{name: "store/large", needs: NoWrite, run: storeLarge},
		{name: "store/unknown size", needs: NoWrite, lack: NoUnknownSize, run: storeUnknownSize},
		{name: "store/time", needs: NoWrite, lack: NoStoreTimes, run: storeTime},
		{name: "store/over a directory", needs: NoWrite, run: storeOverDirectory},
		{name: "store/below a missing directory", needs: NoWrite, run: storeBelowMissing},
		{name: "store/below a file", needs: NoWrite, lack: NoWriteBelowFile, run: storeBelowFile},
		{name: "store/new where something is", needs: NoWrite, run: storeNewOverFile},
		{name: "store/matching tag", needs: NoWrite, lack: NoTags, run: storeMatching},
		{name: "store/other tag", needs: NoWrite, lack: NoTags, run: storeOtherTag},
		{name: "store/tag of nothing", needs: NoWrite, lack: NoTags, run: storeTagOfNothing},
	}
}

// plain hides what else a reader can do, so that nothing can be guessed of the
// content that Upload does not say.
type plain struct{ io.Reader }

// store stores content at path as u says.
func (b *bench) store(ctx context.Context, path, content string, u plugins.Upload) (plugins.Entry, error) {
	return b.able.Writer.Store(ctx, path, plain{strings.NewReader(content)}, u)
}

// stores demands that content can be stored at path, that the answer is true,
// and that it is there afterwards.
func (b *bench) stores(path, content string, u plugins.Upload) error {
	e, err := b.store(b.ctx, path, content, u)
	if err != nil {
		return fmt.Errorf("store %q: %w", path, err)
	}
	return errors.Join(b.described(e, path, content), b.holds(path, content))
}

// described demands that e, the answer to a store, is of the file at path.
func (b *bench) described(e plugins.Entry, name, content string) error {
	if err := isFile(e, path.Base(name), content); err != nil {
		return fmt.Errorf("the answer to the store: %w", err)
	}
	now, err := b.e.Stat(b.ctx, name)
	switch {
	case err != nil:
		return err
	case e.ETag != "" && now.ETag != "" && e.ETag != now.ETag:
		return fmt.Errorf("%q: the store answered tag %s, stat says %s", name, e.ETag, now.ETag)
	case !e.ModTime.IsZero() && !e.ModTime.Truncate(time.Second).Equal(now.ModTime.Truncate(time.Second)):
		return fmt.Errorf("%q: the store answered time %v, stat says %v", name, e.ModTime, now.ModTime)
	}
	return nil
}

// holds demands that path is a file with content, by all that the endpoint can
// be asked.
func (b *bench) holds(p, content string) error {
	e, err := b.e.Stat(b.ctx, p)
	if err != nil {
		return err
	}
	errs := []error{isFile(e, path.Base(p), content), b.listed(p, true)}
	if b.able.Reader != nil {
		errs = append(errs, b.delivers(p, plugins.Whole, content, content))
	}
	if b.able.Digester != nil {
		d, err := b.able.Digester.Digest(b.ctx, p, "adler32")
		if plugins.KindOf(err) != plugins.Unsupported {
			errs = append(errs, err, digestsHold([]plugins.Digest{d}, content))
		}
	}
	return errors.Join(errs...)
}

// gone demands that there is nothing at path.
func (b *bench) gone(path string) error {
	_, err := b.e.Stat(b.ctx, path)
	return errors.Join(b.fails("stat "+path, err, plugins.NotFound), b.listed(path, false))
}

// listed demands that path is, or is not, in the listing of its directory. A
// directory that is absent lists nothing.
func (b *bench) listed(p string, want bool) error {
	if b.able.Lister == nil {
		return nil
	}
	l, err := b.complete(path.Dir(p))
	if err != nil && (want || plugins.KindOf(err) != plugins.NotFound) {
		return err
	}
	if slices.Contains(l.names(), path.Base(p)) != want {
		return fmt.Errorf("%q listed: %t, want %t", p, !want, want)
	}
	return nil
}

// sized is the upload of content whose size is known beforehand.
func sized(content string) plugins.Upload { return plugins.Upload{Size: int64(len(content))} }

func storeNew(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	content := alphabet(100_000)
	return errors.Join(b.stores(b.at("file"), content, sized(content)), b.leaves("keep", "file"))
}

// leaves demands that just these names are in this check's directory.
func (b *bench) leaves(want ...string) error {
	if b.able.Lister == nil {
		return nil
	}
	return b.listIs(b.dir, want...)
}

func storeOverFile(b *bench) error {
	var errs []error
	b.seed(Node{Path: "file", Content: alphabet(50_000)})
	for _, content := range []string{alphabet(20_000), "", alphabet(70_000), strings.Repeat("same size", 10), strings.Repeat("SAME SIZE", 10)} {
		errs = append(errs, b.stores(b.at("file"), content, sized(content)))
	}
	return errors.Join(append(errs, b.leaves("file"))...)
}

func storeEmpty(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	return b.stores(b.at("empty"), "", sized(""))
}

func storeLarge(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	content := alphabet(3<<20 + 1)
	return b.stores(b.at("large"), content, sized(content))
}

func storeUnknownSize(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	var errs []error
	for _, size := range []int{0, 1, 3<<20 + 1} {
		errs = append(errs, b.stores(b.at(fmt.Sprintf("file%d", size)), alphabet(size), plugins.Upload{Size: -1}))
	}
	return errors.Join(errs...)
}

func storeTime(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	u := sized("old")
	u.ModTime = seedTime()
	if err := b.stores(b.at("old"), "old", u); err != nil {
		return err
	}
	e, err := b.e.Stat(b.ctx, b.at("old"))
	if err != nil {
		return err
	}
	return isSeedTime(e)
}

func storeOverDirectory(b *bench) error {
	b.seed(Node{Path: "directory/inner", Content: "inner"})
	var errs []error
	for _, path := range []string{b.at("directory"), "/"} {
		_, err := b.store(b.ctx, path, "x", sized("x"))
		errs = append(errs, b.fails("store over "+path, err, plugins.IsDirectory))
	}
	return errors.Join(append(errs, b.holds(b.at("directory/inner"), "inner"), b.leaves("directory"))...)
}

func storeBelowMissing(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	var errs []error
	for _, name := range []string{"missing/file", "missing/deep/file"} {
		_, err := b.store(b.ctx, b.at(name), "x", sized("x"))
		errs = append(errs, b.fails("store "+name, err, plugins.NoParent))
	}
	return errors.Join(append(errs, b.gone(b.at("missing")), b.leaves("keep"))...)
}

func storeBelowFile(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	_, err := b.store(b.ctx, b.at("file/below"), "y", sized("y"))
	return errors.Join(b.fails("store below a file", err, plugins.NoParent), b.holds(b.at("file"), "x"), b.leaves("file"))
}

func storeNewOverFile(b *bench) error {
	b.seed(Node{Path: "file", Content: "old"}, Node{Path: "directory/inner", Content: "inner"})
	u := sized("new")
	u.New = true
	_, file := b.store(b.ctx, b.at("file"), "new", u)
	_, directory := b.store(b.ctx, b.at("directory"), "new", u)
	return errors.Join(
		b.fails("new over a file", file, plugins.Exists),
		b.fails("new over a directory", directory, plugins.Exists, plugins.IsDirectory),
		b.stores(b.at("fresh"), "new", u),
		b.holds(b.at("file"), "old"), b.holds(b.at("directory/inner"), "inner"), b.leaves("file", "directory", "fresh"),
	)
}

func storeMatching(b *bench) error {
	b.seed(Node{Path: "file", Content: "old"})
	for _, content := range []string{"a newer one", "the newest of all"} {
		tag, err := b.tagOf(b.at("file"))
		if err != nil {
			return err
		}
		u := sized(content)
		u.IfMatch = tag
		if err := b.stores(b.at("file"), content, u); err != nil {
			return err
		}
	}
	return nil
}

func storeOtherTag(b *bench) error {
	b.seed(Node{Path: "file", Content: "old"})
	tag, err := b.tagOf(b.at("file"))
	if err != nil {
		return err
	}
	b.seed(Node{Path: "file", Content: "newer", ModTime: seedTime().Add(time.Hour)})
	var errs []error
	for _, tag := range []string{tag, `"never-was-a-tag"`} {
		u := sized("mine")
		u.IfMatch = tag
		_, err := b.store(b.ctx, b.at("file"), "mine", u)
		errs = append(errs, b.fails("store over another file", err, plugins.Changed))
	}
	return errors.Join(append(errs, b.holds(b.at("file"), "newer"), b.leaves("file"))...)
}

func storeTagOfNothing(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	if _, err := b.tagOf(b.at("keep")); err != nil {
		return err
	}
	u := sized("mine")
	u.IfMatch = `"some-tag"`
	_, err := b.store(b.ctx, b.at("absent"), "mine", u)
	return errors.Join(b.fails("store over a file that is not there", err, plugins.Changed), b.gone(b.at("absent")))
}
