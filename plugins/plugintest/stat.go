package plugintest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"canopy/plugins"
)

func statChecks() []check {
	return []check{
		{name: "stat/file", run: statFile},
		{name: "stat/empty file", run: statEmptyFile},
		{name: "stat/time", lack: NoTimes, run: statTime},
		{name: "stat/tag", lack: NoTags, run: statTag},
		{name: "stat/directory", run: statDirectory},
		{name: "stat/empty directory", lack: NoEmptyDirectories, run: statEmptyDirectory},
		{name: "stat/root", run: statRoot},
		{name: "stat/absent", run: statAbsent},
		{name: "stat/below a file", lack: NoBelowFile, run: statBelowFile},
		{name: "stat/deep", run: statDeep},
		{name: "probe", run: probe},
		{name: "space", needs: NoSpace, run: space},
	}
}

func statFile(b *bench) error {
	const content = "The quick brown fox"
	b.seed(Node{Path: "file", Content: content})
	e, err := b.e.Stat(b.ctx, b.at("file"))
	if err != nil {
		return err
	}
	return isFile(e, "file", content)
}

// isFile demands that e describes the file called name with that content.
func isFile(e plugins.Entry, name, content string) error {
	switch {
	case e.Name != name:
		return fmt.Errorf("name %q, want %q", e.Name, name)
	case e.Kind != plugins.File:
		return fmt.Errorf("%q: kind %v, want a file", name, e.Kind)
	case e.Size != int64(len(content)):
		return fmt.Errorf("%q: size %d, want %d", name, e.Size, len(content))
	}
	return errors.Join(tagIsWellFormed(e.ETag), digestsHold(e.Digests, content))
}

func tagIsWellFormed(tag string) error {
	opaque := strings.TrimPrefix(tag, "W/")
	switch {
	case tag == "":
		return nil
	case len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"':
		return fmt.Errorf("entity tag %q without its quotes", tag)
	case strings.ContainsFunc(opaque[1:len(opaque)-1], func(r rune) bool { return r < '!' || r == '"' || r == 0x7f }):
		return fmt.Errorf("entity tag %q holds what no entity tag may (RFC 9110, 8.8.3)", tag)
	}
	return nil
}

func statEmptyFile(b *bench) error {
	b.seed(Node{Path: "empty"})
	e, err := b.e.Stat(b.ctx, b.at("empty"))
	if err != nil {
		return err
	}
	return isFile(e, "empty", "")
}

func statTime(b *bench) error {
	b.seed(Node{Path: "old", Content: "old"})
	e, err := b.e.Stat(b.ctx, b.at("old"))
	if err != nil {
		return err
	}
	return isSeedTime(e)
}

func isSeedTime(e plugins.Entry) error {
	if !e.ModTime.Truncate(time.Second).Equal(seedTime()) {
		return fmt.Errorf("%q: changed at %v, want %v", e.Name, e.ModTime, seedTime())
	}
	return nil
}

// statTag demands that a file has a tag, which stays while the file does and
// changes with it.
func statTag(b *bench) error {
	b.seed(Node{Path: "file", Content: "one"})
	first, err := b.e.Stat(b.ctx, b.at("file"))
	if err != nil {
		return err
	}
	again, err := b.e.Stat(b.ctx, b.at("file"))
	if err != nil {
		return err
	}
	b.seed(Node{Path: "file", Content: "another", ModTime: seedTime().Add(time.Hour)})
	changed, err := b.e.Stat(b.ctx, b.at("file"))
	switch {
	case err != nil:
		return err
	case first.ETag == "":
		return errors.New("no entity tag")
	case first.ETag != again.ETag:
		return fmt.Errorf("tag %s, then %s of the same file", first.ETag, again.ETag)
	case first.ETag == changed.ETag:
		return fmt.Errorf("tag %s before and after a change", first.ETag)
	}
	return nil
}

func statDirectory(b *bench) error {
	b.seed(Node{Path: "directory/file", Content: "x"})
	return b.statIsDirectory(b.at("directory"), "directory")
}

func statEmptyDirectory(b *bench) error {
	b.seed(Node{Path: "empty", Directory: true})
	return b.statIsDirectory(b.at("empty"), "empty")
}

func statRoot(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	return b.statIsDirectory("/", "")
}

func (b *bench) statIsDirectory(path, name string) error {
	e, err := b.e.Stat(b.ctx, path)
	if err != nil {
		return err
	}
	return isDirectory(e, name)
}

func isDirectory(e plugins.Entry, name string) error {
	switch {
	case e.Name != name:
		return fmt.Errorf("name %q, want %q", e.Name, name)
	case e.Kind != plugins.Directory:
		return fmt.Errorf("%q: kind %v, want a directory", name, e.Kind)
	case e.Size > 0:
		return fmt.Errorf("%q: a directory of size %d", name, e.Size)
	case len(e.Digests) > 0:
		return fmt.Errorf("%q: a directory with checksums", name)
	}
	return nil
}

func statAbsent(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	var errs []error
	for _, name := range []string{"absent", "fil", "file2", "absent/file", "absent/deep/er"} {
		_, err := b.e.Stat(b.ctx, b.at(name))
		errs = append(errs, b.fails(name, err, plugins.NotFound))
	}
	return errors.Join(errs...)
}

func statBelowFile(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	var errs []error
	for _, name := range []string{"file/x", "file/x/y"} {
		_, err := b.e.Stat(b.ctx, b.at(name))
		errs = append(errs, b.fails(name, err, plugins.NotFound))
	}
	return errors.Join(errs...)
}

func statDeep(b *bench) error {
	path := strings.Repeat("level/", 40) + "leaf"
	b.seed(Node{Path: path, Content: "deep"})
	e, err := b.e.Stat(b.ctx, b.at(path))
	if err != nil {
		return err
	}
	return isFile(e, "leaf", "deep")
}

// probe demands a sign of life, be there a Prober or not, also at a path that
// does not exist: any answer is life.
func probe(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	if b.able.Prober == nil {
		_, err := b.e.Stat(b.ctx, "/")
		return err
	}
	var errs []error
	for _, path := range []string{"/", b.at("file"), b.at("absent")} {
		if err := b.able.Prober.Probe(b.ctx, path); plugins.KindOf(err).Silent() {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

func space(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	var errs []error
	for _, path := range []string{"/", b.dir, b.at("file"), b.at("absent"), b.at("absent/file")} {
		sp, err := b.able.Spacer.Space(b.ctx, path)
		switch {
		case err != nil && path != "/" && plugins.KindOf(err) == plugins.NotFound:
			// A storage may insist that there be something.
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		case sp.Used < 0 && sp.Free < 0:
			errs = append(errs, fmt.Errorf("%s: neither used nor free room is known", path))
		}
	}
	return errors.Join(errs...)
}
