package multistatus

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/wire/propfind"
)

func TestDeadProperties(t *testing.T) {
	a, b := xml.Name{Space: "urn:u", Local: "a"}, xml.Name{Space: "urn:u", Local: "b"}
	e := &Entry{Entry: plugins.Entry{Kind: plugins.File, Size: 1}, Properties: []plugins.Property{{Name: a, Value: "1"}}}
	const (
		hasA    = `<x:a xmlns:x="urn:u">1</x:a>`
		lacksA  = `<x:a xmlns:x="urn:u"/>`
		lacksB  = `<x:b xmlns:x="urn:u"/>`
		missing = "404 Not Found"
	)
	for _, c := range []struct {
		name    string
		request propfind.Request
		want    []string
		not     []string
	}{
		{"named", propfind.Request{Names: []xml.Name{a, b}}, []string{hasA + "</D:prop><D:status>HTTP/1.1 200 OK", lacksB + "</D:prop><D:status>HTTP/1.1 404"}, []string{lacksA}},
		{"all there", propfind.Request{Names: []xml.Name{a}}, []string{hasA}, []string{missing, lacksA}},
		{"not named", propfind.Request{Names: []xml.Name{b}}, []string{lacksB}, []string{hasA}},
		{"all", propfind.Request{AllProp: true, Names: []xml.Name{b}}, []string{hasA, lacksB, "getcontentlength"}, nil},
		{"names", propfind.Request{PropName: true}, []string{lacksA}, []string{hasA, missing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			w := NewWriter(&out, Options{Path: "/f", Request: c.request})
			if err := w.Target(e); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			for _, s := range c.want {
				if !strings.Contains(out.String(), s) {
					t.Errorf("%q is not in %s", s, out.String())
				}
			}
			for _, s := range c.not {
				if strings.Contains(out.String(), s) {
					t.Errorf("%q is in %s", s, out.String())
				}
			}
		})
	}
}
