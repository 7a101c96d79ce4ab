package plugintest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"canopy/plugins"
)

// contendChecks have many write at once.
func contendChecks() []check {
	return []check{
		{name: "contend/one path", needs: NoWrite, lack: NoOrder, chance: true, run: contendForPath},
		{name: "contend/new", needs: NoWrite, lack: NoExclusive, chance: true, run: contendForNew},
		{name: "contend/one directory", needs: NoWrite, run: contendInDirectory},
		{name: "contend/moved over", needs: NoMove, lack: NoSingleStep, chance: true, run: moveInOneStep},
	}
}

// version returns content of which each differs from the others in every part
// and in size.
func version(i int) string {
	return strings.Repeat(fmt.Sprintf("version %06d\n", i), 10_000+i)
}

// contendForPath stores 32 contents at one path at once: one of them must be
// there in the end, in whole, and nothing else at any time where the endpoint
// is atomic.
func contendForPath(b *bench) error {
	const writers = 32
	b.seed(Node{Path: "file", Content: version(0)})
	whole := map[string]bool{version(0): true}
	for i := range writers {
		whole[version(i+1)] = true
	}
	errs := make([]error, writers+1)
	var busy atomic.Bool
	busy.Store(true)
	var writing, looking sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			content := version(i + 1)
			e, err := b.store(b.ctx, b.at("file"), content, sized(content))
			if err == nil {
				err = isFile(e, "file", content)
			}
			errs[i] = err
		})
	}
	if b.able.Reader != nil && b.able.Writer.Atomic() {
		looking.Go(func() {
			for busy.Load() && errs[writers] == nil {
				got, _, err := b.read(b.ctx, b.able.Reader, b.at("file"), plugins.Whole)
				if err == nil && !whole[got] {
					err = fmt.Errorf("while it is written, %d bytes %.30q… are read that nobody stored", len(got), got)
				}
				errs[writers] = err
			}
		})
	}
	writing.Wait()
	busy.Store(false)
	looking.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	e, err := b.e.Stat(b.ctx, b.at("file"))
	if err != nil {
		return err
	}
	for content := range whole {
		if e.Size == int64(len(content)) && content != version(0) {
			return errors.Join(b.holds(b.at("file"), content), b.leaves("file"))
		}
	}
	return fmt.Errorf("a file of %d bytes, which nobody stored", e.Size)
}

// contendForNew has two store a file that must be new, time and again: exactly
// one may, and it is that one's content which is there.
func contendForNew(b *bench) error {
	b.seed(Node{Path: "keep", Content: "kept"})
	for round := range 10 {
		name := fmt.Sprintf("file%d", round)
		var errs [2]error
		var both sync.WaitGroup
		for i := range errs {
			both.Go(func() {
				u := sized(version(i))
				u.New = true
				_, errs[i] = b.store(b.ctx, b.at(name), version(i), u)
			})
		}
		both.Wait()
		winner, loser := 0, errs[1]
		if errs[0] != nil {
			winner, loser = 1, errs[0]
		}
		if errs[winner] != nil {
			return fmt.Errorf("nobody could: %w", errors.Join(errs[:]...))
		}
		if err := errors.Join(b.fails("the second", loser, plugins.Exists), b.holds(b.at(name), version(winner))); err != nil {
			return err
		}
	}
	return nil
}

// contendInDirectory has 16 callers make, move and remove their own paths in
// one directory.
func contendInDirectory(b *bench) error {
	const callers = 16
	b.seed(Node{Path: "keep", Content: "kept"})
	errs := make([]error, callers)
	want := []string{"keep"}
	var all sync.WaitGroup
	for c := range callers {
		want = append(want, fmt.Sprintf("stays%d", c))
		if b.able.Mover != nil {
			want = append(want, fmt.Sprintf("moved%d", c))
		} else {
			want = append(want, fmt.Sprintf("moves%d", c))
		}
		if b.able.Remover == nil {
			want = append(want, fmt.Sprintf("goes%d", c))
		}
		all.Go(func() {
			content := version(c)
			for _, name := range []string{"stays", "moves", "goes"} {
				if _, err := b.store(b.ctx, b.at(fmt.Sprintf("%s%d", name, c)), content, sized(content)); err != nil {
					errs[c] = err
					return
				}
			}
			if b.able.Mover != nil {
				errs[c] = b.able.Mover.Move(b.ctx, b.at(fmt.Sprintf("moves%d", c)), b.at(fmt.Sprintf("moved%d", c)), false)
			}
			if b.able.Remover != nil {
				errs[c] = errors.Join(errs[c], b.able.Remover.Remove(b.ctx, b.at(fmt.Sprintf("goes%d", c))))
			}
		})
	}
	all.Wait()
	for c := range callers {
		if errs[c] == nil {
			errs[c] = b.holds(b.at(fmt.Sprintf("stays%d", c)), version(c))
		}
	}
	return errors.Join(append(errs, b.leaves(want...))...)
}

// moveInOneStep moves files over another, which must be there at all times.
func moveInOneStep(b *bench) error {
	const rounds = 20
	b.seed(Node{Path: "file", Content: "file 99"})
	for i := range rounds {
		b.seed(Node{Path: fmt.Sprintf("from%d", i), Content: fmt.Sprintf("file %02d", i)})
	}
	var seen error
	var busy atomic.Bool
	busy.Store(true)
	var looking sync.WaitGroup
	looking.Go(func() {
		for busy.Load() && seen == nil {
			e, err := b.e.Stat(b.ctx, b.at("file"))
			if err == nil && e.Size != int64(len("file 99")) {
				err = fmt.Errorf("size %d of a file that none of the moved has", e.Size)
			}
			seen = err
		}
	})
	var moved error
	for i := range rounds {
		if moved = b.able.Mover.Move(b.ctx, b.at(fmt.Sprintf("from%d", i)), b.at("file"), true); moved != nil {
			break
		}
	}
	busy.Store(false)
	looking.Wait()
	if err := errors.Join(seen, moved); err != nil {
		return err
	}
	return b.holds(b.at("file"), fmt.Sprintf("file %02d", rounds-1))
}
