package plugintest

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	"canopy/plugins"
)

// propertyChecks are for endpoints that may keep properties. Those whose storage
// turns out not to say so by Unsupported, and have a gap.
func propertyChecks() []check {
	return []check{
		{name: "properties/kept", needs: NoProperties, lack: NoProperties, run: propertiesKept},
		{name: "properties/of a directory", needs: NoProperties, lack: NoProperties, run: propertiesOfDirectory},
		{name: "properties/moved", needs: NoProperties, lack: NoProperties, run: propertiesMoved},
		{name: "properties/stored over", needs: NoProperties, lack: NoProperties, run: propertiesStoredOver},
		{name: "properties/of nothing", needs: NoProperties, run: propertiesOfNothing},
		{name: "properties/too many", needs: NoProperties, lack: NoProperties, run: propertiesTooMany},
	}
}

func noted(local, value string) plugins.Property {
	return plugins.Property{Name: xml.Name{Space: "urn:canopy:test", Local: local}, Value: value}
}

// awkwardProperties are some of every kind, as package wire/fragment would write
// their values.
func awkwardProperties() []plugins.Property {
	return []plugins.Property{
		noted("plain", "value"),
		noted("empty", ""),
		noted("text", " a &lt;b&gt; &amp; \"c\"\n'd' "),
		noted("beyond", "é\u2028\U00010000"),
		noted("xml", `<a xmlns="urn:other" b="c&quot;"><d xmlns="">e</d><f></f></a>`),
		{Name: xml.Name{Local: "nowhere"}, Value: "no namespace"},
		{Name: xml.Name{Space: "urn:other", Local: "plain"}, Value: "of another namespace"},
		{Name: xml.Name{Space: "urn:spoken", Local: "said"}, Value: "dicho", Lang: "es"},
	}
}

// notes demands that path has exactly the properties wanted.
func (b *bench) notes(path string, want ...plugins.Property) error {
	return b.notesOf(path, nil, want)
}

func (b *bench) notesOf(path string, names []xml.Name, want []plugins.Property) error {
	got, err := b.able.Keeper.Properties(b.ctx, path, names)
	if err != nil {
		return fmt.Errorf("properties of %q: %w", path, err)
	}
	order := func(p, q plugins.Property) int {
		return cmp.Or(strings.Compare(p.Name.Space, q.Name.Space), strings.Compare(p.Name.Local, q.Name.Local))
	}
	got, want = slices.SortedFunc(slices.Values(got), order), slices.SortedFunc(slices.Values(want), order)
	if !slices.Equal(got, want) {
		return fmt.Errorf("the properties of %q are %q, want %q", path, got, want)
	}
	return nil
}

func (b *bench) note(path string, set []plugins.Property, remove ...xml.Name) error {
	if err := b.able.Keeper.SetProperties(b.ctx, path, set, remove); err != nil {
		return fmt.Errorf("set properties of %q: %w", path, err)
	}
	return nil
}

func propertiesKept(b *bench) error {
	b.seed(Node{Path: "file", Content: "0123456789"}, Node{Path: "other", Content: "x"})
	path, all := b.at("file"), awkwardProperties()
	before, err := b.e.Stat(b.ctx, path)
	if err != nil {
		return err
	}
	if err := errors.Join(b.notes(path), b.note(path, all), b.notes(path, all...)); err != nil {
		return err
	}
	// Another one that is opened sees the same.
	again := plugins.AbilitiesOf(b.open(b.env())).Keeper
	if found, err := again.Properties(b.ctx, path, nil); err != nil || len(found) != len(all) {
		return fmt.Errorf("opened again it has %q, %w", found, err)
	}
	err = errors.Join(
		b.notesOf(path, []xml.Name{all[0].Name, {Space: "urn:none", Local: "none"}, all[4].Name}, []plugins.Property{all[0], all[4]}),
		b.note(path, []plugins.Property{noted("plain", "changed")}, all[1].Name, xml.Name{Space: "urn:none", Local: "none"}),
		b.notes(path, append([]plugins.Property{noted("plain", "changed")}, all[2:]...)...),
		b.notes(b.at("other")),
		b.holds(path, "0123456789"),
	)
	if err != nil {
		return err
	}
	after, err := b.e.Stat(b.ctx, path)
	if err != nil || after.Size != before.Size || after.ETag != before.ETag || !after.ModTime.Equal(before.ModTime) {
		return fmt.Errorf("the file was %+v, then %+v, %w", before, after, err)
	}
	var names []xml.Name
	for _, p := range all {
		names = append(names, p.Name)
	}
	return errors.Join(b.note(path, nil, names...), b.notes(path))
}

func propertiesOfDirectory(b *bench) error {
	b.seed(Node{Path: "directory/file", Content: "x"})
	return errors.Join(
		b.note(b.at("directory"), []plugins.Property{noted("a", "1")}),
		b.notes(b.at("directory"), noted("a", "1")), b.notes(b.at("directory/file")),
	)
}

// propertiesMoved follows properties where their paths go, and looks that they
// go with them.
func propertiesMoved(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"}, Node{Path: "over", Content: "y"}, Node{Path: "directory/below", Content: "z"})
	err := errors.Join(
		b.note(b.at("file"), []plugins.Property{noted("a", "1")}), b.note(b.at("over"), []plugins.Property{noted("b", "2")}),
		b.note(b.at("directory/below"), []plugins.Property{noted("c", "3")}),
	)
	if err != nil || b.able.Mover == nil || b.able.Remover == nil || b.able.Writer == nil {
		return err
	}
	err = errors.Join(
		b.move("file", "over", true), b.notes(b.at("over"), noted("a", "1")),
		b.move("directory", "renamed", false), b.notes(b.at("renamed/below"), noted("c", "3")),
	)
	if err != nil {
		return err
	}
	if err := b.able.Remover.Remove(b.ctx, b.at("over")); err != nil {
		return err
	}
	return errors.Join(b.stores(b.at("over"), "new", plugins.Upload{Size: 3}), b.notes(b.at("over")))
}

func propertiesStoredOver(b *bench) error {
	b.seed(Node{Path: "file", Content: "old"})
	if err := b.note(b.at("file"), awkwardProperties()); err != nil || b.able.Writer == nil {
		return err
	}
	return errors.Join(b.stores(b.at("file"), "newer", plugins.Upload{Size: 5}), b.notes(b.at("file"), awkwardProperties()...))
}

func propertiesOfNothing(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	var all error
	for _, name := range []string{"absent", "absent/below", "file/below"} {
		_, err := b.able.Keeper.Properties(b.ctx, b.at(name), nil)
		all = errors.Join(all, b.fails("properties of "+name, err, plugins.NotFound, plugins.Unsupported))
		err = b.able.Keeper.SetProperties(b.ctx, b.at(name), []plugins.Property{noted("a", "1")}, nil)
		all = errors.Join(all, b.fails("set properties of "+name, err, plugins.NotFound, plugins.Unsupported))
	}
	return all
}

// propertiesTooMany demands that what does not fit leaves all as it was.
func propertiesTooMany(b *bench) error {
	b.seed(Node{Path: "file", Content: "x"})
	path, kept := b.at("file"), noted("kept", "1")
	if err := b.note(path, []plugins.Property{kept}); err != nil {
		return err
	}
	var many []plugins.Property
	for i := range plugins.MaxProperties {
		many = append(many, noted(fmt.Sprint("p", i), "1"))
	}
	err := b.able.Keeper.SetProperties(b.ctx, path, many, []xml.Name{{Local: "none"}})
	if err := errors.Join(b.fails("too many", err, plugins.Full), b.notes(path, kept)); err != nil {
		return err
	}
	long := []plugins.Property{noted("kept", "2"), noted("long", strings.Repeat("x", plugins.MaxPropertyBytes))}
	err = b.able.Keeper.SetProperties(b.ctx, path, long, nil)
	return errors.Join(b.fails("too long", err, plugins.Full), b.notes(path, kept))
}
