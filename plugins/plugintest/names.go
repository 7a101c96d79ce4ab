package plugintest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"canopy/plugins"
)

// edgeNames are names which storages, protocols and careless code stumble over.
// All of them are legal: any byte but '/' and NUL.
func edgeNames() []string {
	return []string{
		// Blanks and dots.
		"with space", " leading", "trailing ", "trailing.", " ", "...", "a..b", "..a", "a..", ".hidden", "~tilde", "-dash",
		// What an encoder must encode and a decoder must not decode twice.
		"100%", "%41", "%2F", "%2e%2e", "%00", "%zz", "%25", "..%2f..", "a+b",
		// What means something in a URL.
		"a#b", "a?b=c", "a&b", "a;b", "a=b", "a@b", "a:b", "http:", "a,b", "$a", "!a", "a*b", "[a]", "(a)", "{a}", "a|b", "a^b", "a`b",
		// What means something in XML, HTML, JSON or a file system.
		`quo"te`, "quo'te", "<tag>", "a>b", "&amp;", "&#65;", "]]>", `back\slash`, `C:\x`, "CON", "A", "a", "index.html",
		// Unicode: one letter in both normal forms, other scripts and planes,
		// a change of direction, separators.
		"caf\u00e9", "cafe\u0301", "日本語", "\U0001F333", "a\u202eb", "a\u2028b", "\ufeffbom",
		// Not UTF-8: stray bytes, a broken and an overlong sequence.
		"\xff\xfe", "a\xc3", "\xc0\xaf", "latin1-\xe9",
		// Control characters.
		"tab\there", "new\nline", "carriage\rreturn", "\x01", "esc\x1b[31m", "\x7f",
		// As long as most file systems allow: 255 bytes.
		strings.Repeat("x", 255), strings.Repeat("é", 127) + "x", strings.Repeat("%", 255),
	}
}

func nameChecks() []check {
	checks := []check{{name: "names/together", needs: NoList, run: namesTogether}}
	for i, name := range edgeNames() {
		label := fmt.Sprintf("names/%02d %.20q", i, name)
		checks = append(checks, check{name: label, run: func(b *bench) error { return oneName(b, i, name) }})
	}
	return checks
}

// oneName tries a name as that of a file and of a directory, and weighs the
// outcome against the gaps.
func oneName(b *bench, i int, name string) error {
	b.dir = fmt.Sprintf("/plugintest/names/%d", i)
	if b.s.excuses(NoStorableNames, name) {
		_, err := b.e.Stat(b.ctx, b.at(name))
		return b.fails("a name that cannot be stored", err, plugins.Invalid, plugins.NotFound)
	}
	content := "content of " + name
	b.seed(Node{Path: "file/" + name, Content: content}, Node{Path: "directory/" + name + "/inner", Content: "inner"})
	err := errors.Join(b.nameOfFile("file/"+name, name, content), b.nameOfDirectory("directory/"+name, name))
	if b.s.excuses(NoNames, name) {
		if err == nil {
			return fmt.Errorf("the gap for the name %q is not needed: it works", name)
		}
		return nil
	}
	return err
}

func (b *bench) nameOfFile(path, name, content string) error {
	var errs []error
	if e, err := b.e.Stat(b.ctx, b.at(path)); err != nil {
		errs = append(errs, err)
	} else {
		errs = append(errs, isFile(e, name, content))
	}
	if b.able.Lister != nil {
		errs = append(errs, b.listIs(b.at("file"), name))
	}
	if b.able.Reader != nil {
		errs = append(errs, b.delivers(b.at(path), plugins.Whole, content, content))
	}
	if b.able.Locator != nil {
		errs = append(errs, b.fetches(b.at(path), content))
	}
	if b.able.Digester != nil {
		d, err := b.able.Digester.Digest(b.ctx, b.at(path), "adler32")
		if plugins.KindOf(err) != plugins.Unsupported {
			errs = append(errs, err, digestsHold([]plugins.Digest{d}, content))
		}
	}
	return errors.Join(errs...)
}

func (b *bench) nameOfDirectory(path, name string) error {
	var errs []error
	if e, err := b.e.Stat(b.ctx, b.at(path)); err != nil {
		errs = append(errs, err)
	} else {
		errs = append(errs, isDirectory(e, name))
	}
	if e, err := b.e.Stat(b.ctx, b.at(path)+"/inner"); err != nil {
		errs = append(errs, err)
	} else {
		errs = append(errs, isFile(e, "inner", "inner"))
	}
	if b.able.Lister != nil {
		errs = append(errs, b.listIs(b.at("directory"), name), b.listIs(b.at(path), "inner"))
	}
	return errors.Join(errs...)
}

// namesTogether lists all names at once, so that two which are confused with
// each other show.
func namesTogether(b *bench) error {
	var nodes []Node
	var names []string
	for _, name := range edgeNames() {
		if b.s.excuses(NoNames, name) || b.s.excuses(NoStorableNames, name) {
			continue
		}
		names = append(names, name)
		nodes = append(nodes, Node{Path: name, Content: name})
	}
	b.seed(nodes...)
	l, err := b.complete(b.dir)
	if err != nil {
		return err
	}
	if err := l.names().are(b.dir, names); err != nil || !b.able.Ordered {
		return err
	}
	return b.inOrder(l)
}

func (b *bench) inOrder(l listing) error {
	if !slices.IsSortedFunc(l.entries, func(x, y plugins.Entry) int { return strings.Compare(x.Name, y.Name) }) {
		return fmt.Errorf("not in ascending byte order: %+v", l.entries)
	}
	return nil
}
