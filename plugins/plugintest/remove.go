package plugintest

import (
	"errors"
	"fmt"

	"canopy/plugins"
)

func removeChecks() []check {
	return []check{
		{name: "remove/file", needs: NoRemove, run: removeFile},
		{name: "remove/empty directory", needs: NoRemove, lack: NoEmptyDirectories, run: removeEmptyDirectory},
		{name: "remove/full directory", needs: NoRemove, run: removeFullDirectory},
		{name: "remove/absent", needs: NoRemove, run: removeAbsent},
		{name: "remove/below a file", needs: NoRemove, lack: NoBelowFile, run: removeBelowFile},
		{name: "remove/root", needs: NoRemove, run: removeRoot},
	}
}

// removes demands that path can be removed and is gone then.
func (b *bench) removes(path string) error {
	if err := b.able.Remover.Remove(b.ctx, path); err != nil {
		return fmt.Errorf("remove %q: %w", path, err)
	}
	return b.gone(path)
}

func removeFile(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"}, Node{Path: "file", Content: "x"}, Node{Path: "empty"})
	return errors.Join(b.removes(b.at("file")), b.removes(b.at("empty")), b.leaves("keep"))
}

func removeEmptyDirectory(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"}, Node{Path: "empty", Directory: true})
	return errors.Join(b.removes(b.at("empty")), b.leaves("keep"))
}

// removeFullDirectory must be refused or remove all, and never a part.
func removeFullDirectory(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"}, Node{Path: "full/a", Content: "a"}, Node{Path: "full/deep/b", Content: "b"})
	if err := b.able.Remover.Remove(b.ctx, b.at("full")); err != nil {
		return errors.Join(
			b.fails("a full directory", err, plugins.NotEmpty),
			b.holds(b.at("full/a"), "a"), b.holds(b.at("full/deep/b"), "b"), b.leaves("full", "keep"),
		)
	}
	return errors.Join(b.gone(b.at("full/deep/b")), b.gone(b.at("full/a")), b.gone(b.at("full")), b.leaves("keep"))
}

func removeAbsent(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	var errs []error
	for _, name := range []string{"absent", "absent/deep", "fil", "file2"} {
		errs = append(errs, b.fails("remove "+name, b.able.Remover.Remove(b.ctx, b.at(name)), plugins.NotFound))
	}
	return errors.Join(append(errs, b.holds(b.at("file"), "x"))...)
}

func removeBelowFile(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	err := b.able.Remover.Remove(b.ctx, b.at("file/below"))
	return errors.Join(b.fails("remove below a file", err, plugins.NotFound), b.holds(b.at("file"), "x"))
}

// rootRefusals are the kinds by which what would take the root away is refused.
func rootRefusals() []plugins.Kind {
	return []plugins.Kind{plugins.Invalid, plugins.Denied, plugins.NotEmpty, plugins.Unsupported}
}

func removeRoot(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	err := b.able.Remover.Remove(b.ctx, "/")
	return errors.Join(b.fails("remove the root", err, rootRefusals()...), b.holds(b.at("file"), "x"))
}

func makeChecks() []check {
	return []check{
		{name: "make/new", needs: NoMake, lack: NoEmptyDirectories, run: makeNew},
		{name: "make/over something", needs: NoMake, run: makeOver},
		{name: "make/below a missing directory", needs: NoMake, run: makeBelowMissing},
		{name: "make/below a file", needs: NoMake, lack: NoWriteBelowFile, run: makeBelowFile},
	}
}

func makeNew(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	for _, name := range []string{"new", "new/inner"} {
		if err := b.able.Maker.MakeDirectory(b.ctx, b.at(name)); err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		if err := b.listed(b.at(name), true); err != nil {
			return err
		}
	}
	errs := []error{b.statIsDirectory(b.at("new"), "new"), b.statIsDirectory(b.at("new/inner"), "inner"), b.leaves("keep", "new")}
	if b.able.Lister != nil {
		errs = append(errs, b.listIs(b.at("new/inner")))
	}
	if b.able.Writer != nil {
		errs = append(errs, b.stores(b.at("new/inner/file"), "x", sized("x")))
	}
	return errors.Join(errs...)
}

func makeOver(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"}, Node{Path: "directory/inner", Content: "inner"})
	var errs []error
	for _, path := range []string{b.at("file"), b.at("directory"), "/"} {
		errs = append(errs, b.fails("make "+path, b.able.Maker.MakeDirectory(b.ctx, path), plugins.Exists))
	}
	return errors.Join(append(errs, b.holds(b.at("file"), "x"), b.holds(b.at("directory/inner"), "inner"))...)
}

func makeBelowMissing(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	var errs []error
	for _, name := range []string{"missing/new", "missing/deep/new"} {
		errs = append(errs, b.fails("make "+name, b.able.Maker.MakeDirectory(b.ctx, b.at(name)), plugins.NoParent))
	}
	return errors.Join(append(errs, b.gone(b.at("missing")))...)
}

func makeBelowFile(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	err := b.able.Maker.MakeDirectory(b.ctx, b.at("file/new"))
	return errors.Join(b.fails("make below a file", err, plugins.NoParent), b.holds(b.at("file"), "x"))
}
