package propfind

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"canopy/plugins"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	dav := func(local string) xml.Name { return xml.Name{Space: DAV, Local: local} }
	for _, c := range []struct {
		name, body string
		want       Request
	}{
		{"empty", "", Request{AllProp: true}},
		{"blank", " \r\n\t", Request{AllProp: true}},
		{"allprop", `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><allprop/></propfind>`, Request{AllProp: true}},
		{"propname", `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`, Request{PropName: true}},
		{"include", `<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><D:supportedlock/><x xmlns=""/></D:include></D:propfind>`,
			Request{AllProp: true, Names: []xml.Name{dav("supportedlock"), {Local: "x"}}, Known: SetOf(SupportedLock)}},
		{"include first", `<D:propfind xmlns:D="DAV:"><D:include><D:acl/></D:include><D:allprop/></D:propfind>`,
			Request{AllProp: true, Names: []xml.Name{dav("acl")}}},
		{"no property", `<D:propfind xmlns:D="DAV:"><D:prop/></D:propfind>`, Request{}},
		{"davix", `<?xml version="1.0" encoding="utf-8" ?><D:propfind xmlns:D="DAV:" xmlns:L="LCGDM:"><D:prop><D:displayname/><D:getlastmodified/><D:creationdate/><D:getcontentlength/><D:quota-used-bytes/><D:resourcetype><D:collection/></D:resourcetype><L:mode/></D:prop></D:propfind>`,
			Request{
				Names: []xml.Name{dav("displayname"), dav("getlastmodified"), dav("creationdate"), dav("getcontentlength"), dav("quota-used-bytes"), dav("resourcetype"), {Space: "LCGDM:", Local: "mode"}},
				Known: SetOf(DisplayName, LastModified, CreationDate, ContentLength, QuotaUsed, ResourceType),
			}},
		{"rclone", `<?xml version="1.0" ?><d:propfind  xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><oc:checksums/><oc:size/></d:prop></d:propfind>`,
			Request{
				Names: []xml.Name{{Space: Owncloud, Local: "checksums"}, {Space: Owncloud, Local: "size"}},
				Known: SetOf(OwncloudChecksums),
			}},
		{"ARC", `<propfind xmlns="DAV:"><prop><Checksums xmlns="http://www.dcache.org/2013/webdav"/><getetag xmlns="other"/></prop></propfind>`,
			Request{
				Names: []xml.Name{{Space: DCache, Local: "Checksums"}, {Space: "other", Local: "getetag"}},
				Known: SetOf(DCacheChecksums),
			}},
		{"named twice", `<a:propfind xmlns:a="DAV:" xmlns:b="DAV:"><a:prop><a:getetag/><b:getetag/><b:x/><a:x/></a:prop></a:propfind>`,
			Request{Names: []xml.Name{dav("getetag"), dav("x")}, Known: SetOf(ETag)}},
		{"extensions", `<D:propfind xmlns:D="DAV:" xmlns:e="e"><e:prop><e:x/></e:prop><D:leave-out/><D:prop e:a="b">text<D:getetag/><!-- --></D:prop></D:propfind>`,
			Request{Names: []xml.Name{dav("getetag")}, Known: SetOf(ETag)}},
		{"Latin-1", "<?xml version='1.0' encoding='iso-8859-1'?><D:propfind xmlns:D='DAV:'><D:prop><x xmlns='\xe9'/></D:prop></D:propfind>",
			Request{Names: []xml.Name{{Space: "é", Local: "x"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(c.body))
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v\nwant -, got +:\n%s", err, diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	var many strings.Builder
	for i := range MaxNames + 1 {
		fmt.Fprintf(&many, "<D:p%d/>", i)
	}
	wrap := func(s string) string { return `<D:propfind xmlns:D="DAV:">` + s + `</D:propfind>` }
	for name, body := range map[string]string{
		"text":              "allprop",
		"litmus, cut":       `<propfind xmlns="DAV:"><foo>`,
		"litmus, no prefix": `<D:propfind xmlns:D="DAV:"><D:prop><bar:foo xmlns:bar=""/></D:prop></D:propfind>`,
		"undeclared prefix": wrap("<D:prop><bar:foo/></D:prop>"),
		"other root":        `<D:propertyupdate xmlns:D="DAV:"/>`,
		"no namespace":      `<propfind><allprop/></propfind>`,
		"nothing":           wrap(""),
		"two questions":     wrap("<D:allprop/><D:propname/>"),
		"prop and allprop":  wrap("<D:allprop/><D:prop/>"),
		"include alone":     wrap("<D:include/>"),
		"include and prop":  wrap("<D:prop/><D:include/>"),
		"something after":   wrap("<D:allprop/>") + "x",
		"second root":       wrap("<D:allprop/>") + wrap("<D:allprop/>"),
		"DTD":               `<!DOCTYPE propfind [<!ENTITY a "a">]>` + wrap("<D:allprop/>"),
		"entity":            wrap("<D:prop>&a;</D:prop>"),
		"bad UTF-8":         wrap("<D:prop>\xff</D:prop>"),
		"UTF-16":            "\xff\xfe<\x00",
		"many":              wrap("<D:prop>" + many.String() + "</D:prop>"),
		"long":              wrap("<D:allprop/>") + strings.Repeat(" ", MaxBody),
		"deep":              wrap(strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(body))
			var e *plugins.Error
			if !errors.As(err, &e) || e.Kind != plugins.Invalid {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestParsePassesReadErrors(t *testing.T) {
	cause := errors.New("broken")
	if _, err := Parse(iotest.ErrReader(cause)); err != cause {
		t.Error(err)
	}
}

func TestWanted(t *testing.T) {
	locks := Request{Names: []xml.Name{SupportedLock.Name(), {Local: "x"}}, Known: SetOf(SupportedLock)}
	all := locks
	all.AllProp = true
	if got := locks.Wanted(); got != SetOf(SupportedLock) {
		t.Errorf("prop: %b", got)
	}
	if got := all.Wanted(); got != All|SetOf(SupportedLock) || got.Has(QuotaUsed) {
		t.Errorf("allprop: %b", got)
	}
	if diff := cmp.Diff([]xml.Name{{Local: "x"}}, all.Unknown()); diff != "" {
		t.Error(diff)
	}
	for p := range Properties() {
		if !(Request{PropName: true}).Wanted().Has(p) {
			t.Errorf("propname: %v is missing", p.Name())
		}
		if found, ok := Lookup(p.Name()); !ok || found != p {
			t.Errorf("%v is found as %d", p.Name(), found)
		}
	}
}

func FuzzParsePropfind(f *testing.F) {
	for _, body := range []string{
		"", " ", `<propfind xmlns="DAV:"><allprop/><include><a/></include></propfind>`,
		`<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`,
		`<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype><D:collection/></D:resourcetype><x:y xmlns:x="z"/></D:prop></D:propfind>`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := Parse(strings.NewReader(body))
		if err != nil {
			if plugins.KindOf(err) != plugins.Invalid {
				t.Errorf("%v is not Invalid", err)
			}
			return
		}
		if r.AllProp && r.PropName || r.PropName && len(r.Names) > 0 {
			t.Errorf("two questions at once: %+v", r)
		}
		// What was understood, asked in our words, is understood the same.
		if r.PropName || r.AllProp && len(r.Names) == 0 {
			return
		}
		var b strings.Builder
		b.WriteString(`<d:propfind xmlns:d="DAV:">`)
		list := "prop"
		if r.AllProp {
			list = "include"
			b.WriteString("<d:allprop/>")
		}
		b.WriteString("<d:" + list + ">")
		for _, n := range r.Names {
			b.WriteString("<" + n.Local + ` xmlns="`)
			if err := xml.EscapeText(&b, []byte(n.Space)); err != nil {
				t.Fatal(err)
			}
			b.WriteString(`"/>`)
		}
		b.WriteString("</d:" + list + "></d:propfind>")
		if b.Len() > MaxBody {
			return
		}
		again, err := Parse(strings.NewReader(b.String()))
		if diff := cmp.Diff(r, again); diff != "" || err != nil {
			t.Errorf("%s\n%v\n%s", b.String(), err, diff)
		}
	})
}

func TestDead(t *testing.T) {
	r := Request{Names: []xml.Name{ETag.Name(), {Local: "x"}, {Space: "urn:u", Local: "y"}, {Space: "LCGDM:", Local: "mode"}, {Space: DAV, Local: "acl"}}}
	if diff := cmp.Diff([]xml.Name{{Local: "x"}, {Space: "urn:u", Local: "y"}}, r.Dead()); diff != "" {
		t.Error(diff)
	}
	if Dead(xml.Name{Space: "urn:u"}) {
		t.Error("a property without a name")
	}
}
