package multistatus

import (
	"os"
	"path/filepath"
	"testing"
)

// seedScan adds documents that reach every corner of Scan.
func seedScan(f *testing.F) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	for _, doc := range []string{
		prop("<D:resourcetype/>"),
		prop("<D:getetag>a]]&gt;&#x41;&#0;b</D:getetag>"),
		prop("<D:getetag>a]]>b</D:getetag>"),
		prop("<D:getetag a='1' b=\"2\" >\r\nx\r</D:getetag >"),
		prop("<D:getetag><![CDATA[]]]]><![CDATA[>]]></D:getetag>"),
		prop("<D:getetag><!-- - -->x<?a b?>y</D:getetag>"),
		prop("<D:getetag>\xff\x01\uFFFE</D:getetag>"),
		prop("<é/><a·/>"),
		prop(`<getetag xmlns="">x</getetag>`),
		prop(`<y:getetag xmlns:y="">x</y:getetag>`),
		prop(`<xml:getetag xml:lang="de" xmlns:xml="DAV:">x</xml:getetag>`),
		prop(`<xmlns:getetag xmlns:xmlns="DAV:">x</xmlns:getetag>`),
		prop("<a:b:getetag>x</a:b:getetag>"),
		prop("<:getetag>x</:getetag><getetag:>x</getetag:>"),
		prop("<L:sumtype>MD</L:sumtype><L:sumvalue>098f6bcd4621d373cade4e832627b4f6</L:sumvalue>"),
		"\uFEFF<multistatus/>",
		"<?xml version='1.0' encoding='utf-8' standalone='yes'?><multistatus><response><href>a</href></response></multistatus>trailing",
		"<?xml version='1.1'?><multistatus/>",
		"<?xml encoding='latin1'?><multistatus><response><href>\xe9</href></response></multistatus>",
		"<!DOCTYPE a [<!ENTITY b 'c'>]><multistatus/>",
	} {
		f.Add([]byte(doc))
	}
}
