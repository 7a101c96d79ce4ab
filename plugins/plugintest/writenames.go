package plugintest

import (
	"errors"
	"fmt"

	"canopy/plugins"
)

func writeNameChecks() []check {
	var checks []check
	for i, name := range edgeNames() {
		label := fmt.Sprintf("write names/%02d %.20q", i, name)
		checks = append(checks, check{name: label, needs: NoWrite, run: func(b *bench) error { return writeName(b, i, name) }})
	}
	return checks
}

// writeName writes a name in all ways there are and weighs the outcome against
// the gaps. Names which cannot even be read are left alone.
func writeName(b *bench, i int, name string) error {
	b.dir = fmt.Sprintf("/plugintest/write-names/%d", i)
	b.seed(Node{Path: "keep", Content: "kept"}, Node{Path: "plain", Content: "plain"})
	switch {
	case b.s.excuses(NoNames, name):
		return nil
	case b.s.excuses(NoStorableNames, name):
		_, err := b.store(b.ctx, b.at(name), name, sized(name))
		return b.fails("a name that cannot be stored", err, plugins.Invalid)
	}
	err := b.writesName(name)
	if b.s.excuses(NoWriteNames, name) {
		if err == nil {
			return fmt.Errorf("the gap for the name %q is not needed: it works", name)
		}
		return nil
	}
	return err
}

func (b *bench) writesName(name string) error {
	errs := []error{b.stores(b.at(name), name, sized(name)), b.stores(b.at(name), "again", sized("again")), b.leaves("keep", "plain", name)}
	if b.able.Mover != nil {
		errs = append(errs, b.moves(name, "back", "again", false), b.moves("plain", name, "plain", false), b.leaves("keep", "back", name))
	}
	if b.able.Remover == nil {
		return errors.Join(errs...)
	}
	errs = append(errs, b.removes(b.at(name)))
	if b.able.Maker != nil {
		if err := b.able.Maker.MakeDirectory(b.ctx, b.at(name)); err != nil {
			errs = append(errs, err)
		} else {
			errs = append(errs, b.stores(b.at(name+"/inner"), "inner", sized("inner")), b.listed(b.at(name), true))
			errs = append(errs, b.removes(b.at(name+"/inner")))
			if _, excused := b.s.gap(NoEmptyDirectories); !excused {
				errs = append(errs, b.statIsDirectory(b.at(name), name), b.removes(b.at(name)))
			}
		}
	}
	return errors.Join(errs...)
}
