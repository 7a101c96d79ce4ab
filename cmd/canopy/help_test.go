package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// TestExamples: every example of the help is a command line that is understood,
// and every command but the one without flags or arguments has some.
func TestExamples(t *testing.T) {
	parser, err := commandLine(io.Discard, io.Discard, os.Exit)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range parser.Model.Children {
		text := examples(node)
		if text == "" && node.Name != "version" {
			t.Errorf("%s has no examples", node.Name)
		}
		own := 0
		for line := range strings.Lines(strings.TrimSpace(text)) {
			command, _, _ := strings.Cut(strings.TrimSpace(line), " | ")
			command, _, _ = strings.Cut(command, " > ")
			command, _, _ = strings.Cut(command, "  #")
			words := strings.Fields(command)
			if len(words) < 2 || words[0] != "canopy" {
				continue
			}
			if words[1] == node.Name {
				own++
			}
			if _, err := parser.Parse(words[1:]); err != nil {
				t.Errorf("%s: %v", command, err)
			}
		}
		if text != "" && own == 0 {
			t.Errorf("%s has examples of other commands only", node.Name)
		}
	}
}
