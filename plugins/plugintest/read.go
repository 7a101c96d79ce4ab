package plugintest

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"canopy/plugins"
)

func readChecks() []check {
	return []check{
		{name: "read/whole", needs: NoRead, run: readWhole},
		{name: "read/ranges", needs: NoRead, run: readRanges},
		{name: "read/empty", needs: NoRead, run: readEmpty},
		{name: "read/no bytes", needs: NoRead, run: readNoBytes},
		{name: "read/past the end", needs: NoRead, run: readPastEnd},
		{name: "read/out of range", needs: NoRead, run: readOutOfRange},
		{name: "read/matching tag", needs: NoRead, lack: NoTags, run: readMatching},
		{name: "read/other tag", needs: NoRead, lack: NoTags, run: readOtherTag},
		{name: "read/absent", needs: NoRead, run: readAbsent},
		{name: "read/below a file", needs: NoRead, lack: NoBelowFile, run: readBelowFile},
		{name: "read/directory", needs: NoRead, run: readDirectory},
		{name: "read/left early", needs: NoRead, run: readLeftEarly},
	}
}

// alphabet returns n bytes in which no stretch of 20 comes twice within 64 KiB,
// so that bytes from the wrong place show.
func alphabet(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < min(n, 65_537); i++ {
		fmt.Fprintf(&b, "%06d abcdefghijk\n", i)
	}
	// The prime length keeps the repetition off the sizes of buffers.
	block := b.String()[:min(b.Len(), 65_537)]
	return strings.Repeat(block, n/max(1, len(block))+1)[:n]
}

// delivers demands that rng of path is exactly want, of a file with content.
func (b *bench) delivers(path string, rng plugins.Range, want, content string) error {
	got, body, err := b.read(b.ctx, b.able.Reader, path, rng)
	switch {
	case err != nil:
		return fmt.Errorf("%+v: %w", rng, err)
	case got != want:
		return fmt.Errorf("%+v: got %d bytes %.40q…, want %d bytes %.40q…", rng, len(got), got, len(want), want)
	case body.Offset != rng.Offset:
		return fmt.Errorf("%+v: the body says offset %d", rng, body.Offset)
	case body.Length >= 0 && body.Length != int64(len(want)):
		return fmt.Errorf("%+v: the body says length %d, want %d", rng, body.Length, len(want))
	case body.Entry.Kind != plugins.File || body.Entry.Name != path[strings.LastIndexByte(path, '/')+1:]:
		return fmt.Errorf("%+v: the body is of %+v", rng, body.Entry)
	case body.Entry.Size >= 0 && body.Entry.Size != int64(len(content)):
		return fmt.Errorf("%+v: the body says the file has %d bytes, want %d", rng, body.Entry.Size, len(content))
	}
	return errors.Join(tagIsWellFormed(body.Entry.ETag), digestsHold(body.Entry.Digests, content))
}

func readWhole(b *bench) error {
	var errs []error
	for _, size := range []int{1, 11, 4096, 1_234_567} {
		name, content := fmt.Sprintf("file%d", size), alphabet(size)
		b.seed(Node{Path: name, Content: content})
		errs = append(errs, b.delivers(b.at(name), plugins.Whole, content, content))
	}
	return errors.Join(errs...)
}

func readRanges(b *bench) error {
	const size = 100_000
	content := alphabet(size)
	b.seed(Node{Path: "file", Content: content})
	var errs []error
	for _, r := range []plugins.Range{
		{Offset: 0, Length: 1},
		{Offset: 0, Length: 5000},
		{Offset: 1, Length: 1},
		{Offset: 777, Length: 40_000},
		{Offset: 65_535, Length: 2},
		{Offset: size - 1, Length: 1},
		{Offset: size - 10, Length: 10},
		{Offset: size - 10, Length: -1},
		{Offset: size - 1, Length: -1},
		{Offset: 1, Length: -1},
		{Offset: 0, Length: size},
	} {
		end := int64(size)
		if r.Length >= 0 {
			end = r.Offset + r.Length
		}
		errs = append(errs, b.delivers(b.at("file"), r, content[r.Offset:end], content))
	}
	return errors.Join(errs...)
}

func readEmpty(b *bench) error {
	b.seed(Node{Path: "empty"})
	return b.delivers(b.at("empty"), plugins.Whole, "", "")
}

// readNoBytes asks for a range of length 0, which HTTP cannot express: it may
// be refused, and delivers nothing otherwise.
func readNoBytes(b *bench) error {
	b.seed(Node{Path: "file", Content: "0123456789"})
	got, _, err := b.read(b.ctx, b.able.Reader, b.at("file"), plugins.Range{Offset: 3, Length: 0})
	if err != nil {
		return b.fails("no bytes", err, plugins.Invalid, plugins.OutOfRange)
	}
	if got != "" {
		return fmt.Errorf("got %q", got)
	}
	return nil
}

// readPastEnd asks for more than there is: that is an error, or what there is
// together with a body that does not promise more.
func readPastEnd(b *bench) error {
	b.seed(Node{Path: "file", Content: "0123456789"})
	got, body, err := b.read(b.ctx, b.able.Reader, b.at("file"), plugins.Range{Offset: 7, Length: 100})
	switch {
	case err != nil:
		return b.fails("past the end", err, plugins.OutOfRange, plugins.Malformed)
	case got != "789" || body.Length > 3:
		return fmt.Errorf("got %q from a body that says length %d", got, body.Length)
	}
	return nil
}

func readOutOfRange(b *bench) error {
	b.seed(Node{Path: "file", Content: "0123456789"})
	var errs []error
	for _, r := range []plugins.Range{
		{Offset: 10, Length: -1}, {Offset: 10, Length: 1}, {Offset: 11, Length: -1}, {Offset: 1 << 40, Length: 5},
	} {
		_, _, err := b.read(b.ctx, b.able.Reader, b.at("file"), r)
		errs = append(errs, b.fails(fmt.Sprintf("%+v", r), err, plugins.OutOfRange))
	}
	return errors.Join(errs...)
}

func (b *bench) tagOf(path string) (string, error) {
	e, err := b.e.Stat(b.ctx, path)
	if err == nil && e.ETag == "" {
		err = errors.New("no entity tag")
	}
	return e.ETag, err
}

func readMatching(b *bench) error {
	const content = "0123456789"
	b.seed(Node{Path: "file", Content: content})
	tag, err := b.tagOf(b.at("file"))
	if err != nil {
		return err
	}
	return errors.Join(
		b.delivers(b.at("file"), plugins.Range{Length: -1, IfMatch: tag}, content, content),
		b.delivers(b.at("file"), plugins.Range{Offset: 2, Length: 3, IfMatch: tag}, "234", content),
	)
}

func readOtherTag(b *bench) error {
	b.seed(Node{Path: "file", Content: "0123456789"})
	tag, err := b.tagOf(b.at("file"))
	if err != nil {
		return err
	}
	b.seed(Node{Path: "file", Content: "something else", ModTime: seedTime().Add(time.Hour)})
	var errs []error
	for _, r := range []plugins.Range{
		{Length: -1, IfMatch: tag},
		{Offset: 3, Length: 4, IfMatch: tag},
		{Length: -1, IfMatch: `"never-was-a-tag"`},
		{Offset: 3, Length: -1, IfMatch: `"never-was-a-tag"`},
	} {
		_, _, err := b.read(b.ctx, b.able.Reader, b.at("file"), r)
		errs = append(errs, b.fails(fmt.Sprintf("%+v", r), err, plugins.Changed))
	}
	return errors.Join(errs...)
}

// readFails demands that path cannot be opened, in whole and in part.
func (b *bench) readFails(path string, kinds ...plugins.Kind) error {
	_, _, whole := b.read(b.ctx, b.able.Reader, path, plugins.Whole)
	_, _, part := b.read(b.ctx, b.able.Reader, path, plugins.Range{Offset: 1, Length: 2})
	return errors.Join(b.fails("read "+path, whole, kinds...), b.fails("read part of "+path, part, kinds...))
}

func readAbsent(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	return errors.Join(b.readFails(b.at("absent"), plugins.NotFound), b.readFails(b.at("absent/deep"), plugins.NotFound))
}

func readBelowFile(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	return b.readFails(b.at("file/below"), plugins.NotFound)
}

func readDirectory(b *bench) error {
	b.seed(Node{Path: "directory/file", Content: "x"})
	return errors.Join(b.readFails(b.at("directory"), plugins.IsDirectory), b.readFails("/", plugins.IsDirectory))
}

// readLeftEarly closes bodies before their end; the endpoint must go on
// working.
func readLeftEarly(b *bench) error {
	content := alphabet(4 << 20)
	b.seed(Node{Path: "file", Content: content})
	for range 8 {
		body, err := b.able.Reader.Open(b.ctx, b.at("file"), plugins.Whole)
		if err != nil {
			return err
		}
		start := make([]byte, 100)
		_, err = io.ReadFull(body, start)
		if cerr := promptly("closing an unread body", body.Close); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
		if string(start) != content[:100] {
			return fmt.Errorf("got %q", start)
		}
	}
	return b.delivers(b.at("file"), plugins.Range{Offset: 5, Length: 5}, content[5:10], content)
}
