package plugintest

import (
	"errors"
	"fmt"

	"canopy/plugins"
)

func moveChecks() []check {
	return []check{
		{name: "move/file", needs: NoMove, run: moveFile},
		{name: "move/directory", needs: NoMove, run: moveDirectory},
		{name: "move/over a file", needs: NoMove, run: moveOverFile},
		{name: "move/over a directory", needs: NoMove, run: moveOverDirectory},
		{name: "move/directory over a file", needs: NoMove, run: moveDirectoryOverFile},
		{name: "move/from nothing", needs: NoMove, run: moveFromNothing},
		{name: "move/below a missing directory", needs: NoMove, run: moveBelowMissing},
		{name: "move/below a file", needs: NoMove, lack: NoWriteBelowFile, run: moveBelowFile},
		{name: "move/onto itself", needs: NoMove, run: moveOntoItself},
		{name: "move/into itself", needs: NoMove, run: moveIntoItself},
		{name: "move/root", needs: NoMove, run: moveRoot},
	}
}

func (b *bench) move(from, to string, replace bool) error {
	return b.able.Mover.Move(b.ctx, b.at(from), b.at(to), replace)
}

// moves demands that the file at from, which has that content, can be moved.
func (b *bench) moves(from, to, content string, replace bool) error {
	if err := b.move(from, to, replace); err != nil {
		return fmt.Errorf("move %q to %q: %w", from, to, err)
	}
	return errors.Join(b.holds(b.at(to), content), b.gone(b.at(from)))
}

func moveFile(b *bench) error {
	content := alphabet(100_000)
	b.seed(Node{Path: "file", Content: content}, Node{Path: "elsewhere/keep", Content: "kept"})
	return errors.Join(
		b.moves("file", "renamed", content, false),
		b.moves("renamed", "elsewhere/file", content, true), // nothing to replace
		b.moves("elsewhere/file", "back", content, false),
		b.leaves("back", "elsewhere"),
	)
}

func moveDirectory(b *bench) error {
	b.seed(Node{Path: "directory/a", Content: "a"}, Node{Path: "directory/deep/b", Content: "b"}, Node{Path: "elsewhere/keep", Content: "kept"})
	for i, to := range []string{"renamed", "elsewhere/directory"} {
		from := []string{"directory", "renamed"}[i]
		if err := b.move(from, to, i == 0); err != nil {
			return err
		}
		err := errors.Join(b.holds(b.at(to+"/a"), "a"), b.holds(b.at(to+"/deep/b"), "b"), b.gone(b.at(from)), b.gone(b.at(from+"/a")))
		if err != nil {
			return err
		}
	}
	return b.leaves("elsewhere")
}

func moveOverFile(b *bench) error {
	b.seed(Node{Path: "from", Content: "the new one"}, Node{Path: "to", Content: "old"})
	refused := b.move("from", "to", false)
	return errors.Join(
		b.fails("without leave to replace", refused, plugins.Exists), b.holds(b.at("from"), "the new one"), b.holds(b.at("to"), "old"),
		b.moves("from", "to", "the new one", true), b.leaves("to"),
	)
}

// moveOverDirectory must not even replace an empty one.
func moveOverDirectory(b *bench) error {
	nodes := []Node{{Path: "file", Content: "x"}, {Path: "directory/a", Content: "a"}, {Path: "full/b", Content: "b"}}
	targets := []string{"full"}
	if _, excused := b.s.gap(NoEmptyDirectories); !excused {
		nodes = append(nodes, Node{Path: "empty", Directory: true})
		targets = append(targets, "empty")
	}
	b.seed(nodes...)
	var errs []error
	for _, from := range []string{"file", "directory"} {
		for _, to := range targets {
			for _, replace := range []bool{false, true} {
				what := fmt.Sprintf("%s over %s, replace %t", from, to, replace)
				errs = append(errs, b.fails(what, b.move(from, to, replace), plugins.Exists))
			}
		}
	}
	errs = append(errs, b.holds(b.at("file"), "x"), b.holds(b.at("directory/a"), "a"), b.holds(b.at("full/b"), "b"))
	return errors.Join(append(errs, b.leaves(append(targets, "file", "directory")...))...)
}

// moveDirectoryOverFile may be refused even where replacing is allowed.
func moveDirectoryOverFile(b *bench) error {
	b.seed(Node{Path: "directory/a", Content: "a"}, Node{Path: "file", Content: "x"})
	var errs []error
	for _, replace := range []bool{false, true} {
		err := b.move("directory", "file", replace)
		if err == nil && replace {
			return errors.Join(append(errs, b.holds(b.at("file/a"), "a"), b.gone(b.at("directory")))...)
		}
		errs = append(errs, b.fails("a directory over a file", err, plugins.Exists))
	}
	return errors.Join(append(errs, b.holds(b.at("file"), "x"), b.holds(b.at("directory/a"), "a"))...)
}

func moveFromNothing(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	var errs []error
	for _, to := range []string{"file", "fresh"} {
		for _, replace := range []bool{false, true} {
			kinds := []plugins.Kind{plugins.NotFound}
			if to == "file" && !replace {
				kinds = append(kinds, plugins.Exists) // as true
			}
			errs = append(errs, b.fails(fmt.Sprintf("to %s, replace %t", to, replace), b.move("absent", to, replace), kinds...))
		}
	}
	return errors.Join(append(errs, b.holds(b.at("file"), "x"), b.leaves("file"))...)
}

func moveBelowMissing(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"}, Node{Path: "directory/a", Content: "a"})
	var errs []error
	for _, from := range []string{"file", "directory"} {
		for _, to := range []string{"missing/there", "missing/deep/there"} {
			errs = append(errs, b.fails(from+" to "+to, b.move(from, to, true), plugins.NoParent))
		}
	}
	return errors.Join(append(errs, b.holds(b.at("file"), "x"), b.holds(b.at("directory/a"), "a"), b.leaves("file", "directory"))...)
}

func moveBelowFile(b *bench) error {
	b.seed(Node{Path: "from", Content: "x"}, Node{Path: "file", Content: "y"})
	err := b.move("from", "file/below", true)
	return errors.Join(b.fails("below a file", err, plugins.NoParent), b.holds(b.at("from"), "x"), b.holds(b.at("file"), "y"))
}

// moveOntoItself is nothing to do, or refused; what is there must stay.
func moveOntoItself(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"}, Node{Path: "directory/a", Content: "a"})
	refusals := []plugins.Kind{plugins.Exists, plugins.Invalid, plugins.Denied}
	errs := []error{
		b.fails("file, no leave to replace", b.move("file", "file", false), refusals...),
		b.fails("directory", b.move("directory", "directory", true), refusals...),
	}
	if err := b.move("file", "file", true); err != nil {
		errs = append(errs, b.fails("file", err, refusals...))
	}
	return errors.Join(append(errs, b.holds(b.at("file"), "x"), b.holds(b.at("directory/a"), "a"), b.leaves("file", "directory"))...)
}

func moveIntoItself(b *bench) error {
	b.seed(Node{Path: "directory/a", Content: "a"})
	refusals := []plugins.Kind{plugins.Exists, plugins.Invalid, plugins.Denied}
	return errors.Join(
		b.fails("a directory into itself", b.move("directory", "directory/inner", false), refusals...),
		b.fails("over what is in it", b.move("directory", "directory/a", true), refusals...),
		b.holds(b.at("directory/a"), "a"), b.leaves("directory"),
	)
}

func moveRoot(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	return errors.Join(
		b.fails("the root", b.able.Mover.Move(b.ctx, "/", b.at("there"), false), append(rootRefusals(), plugins.Exists)...),
		b.fails("over the root", b.able.Mover.Move(b.ctx, b.at("file"), "/", true), append(rootRefusals(), plugins.Exists)...),
		b.holds(b.at("file"), "x"), b.leaves("file"),
	)
}
