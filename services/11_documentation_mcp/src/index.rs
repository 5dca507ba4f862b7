//! Full-text search over the documents, in memory: the files are what lasts.
//!
//! Title, text and tags are searched, English words by their stem. Who may search, and what a
//! document is beyond its words, is not known here. Calls block.

use crate::document::{Category, Document};
use tantivy::collector::TopDocs;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, QueryParser, TermQuery};
use tantivy::schema::{
    Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value as _,
};
use tantivy::snippet::SnippetGenerator;
use tantivy::{
    Index as Tantivy, IndexReader, IndexSettings, ReloadPolicy, TantivyDocument, TantivyError, Term,
};

/// What a writer may hold before it makes a segment, in bytes: the least there is.
const WRITER_BYTES: usize = 15_000_000;
/// Longest snippet, in characters.
const SNIPPET: usize = 200;
/// A word in the title counts as much as so many in the text.
const TITLE_BOOST: f32 = 3.0;

/// The words of all documents.
pub(crate) struct Index {
    tantivy: Tantivy,
    reader: IndexReader,
    directory: RamDirectory,
    fields: Fields,
}

#[derive(Debug, Clone, Copy)]
struct Fields {
    id: Field,
    category: Field,
    tag: Field,
    title: Field,
    text: Field,
}

/// What to look for.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// Words; `"a phrase"`, `+must`, `-not` and `title:word` are understood.
    pub(crate) query: &'a str,
    /// Only of this category.
    pub(crate) category: Option<Category>,
    /// Only with all of these tags.
    pub(crate) tags: &'a [String],
}

/// What matches, best first.
pub(crate) struct Matches {
    /// Score and id.
    pub(crate) ids: Vec<(f32, String)>,
    snippets: SnippetGenerator,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

impl Index {
    /// No words.
    pub(crate) fn new() -> Result<Self, TantivyError> {
        let mut schema = Schema::builder();
        let words = |tokenizer: &str| {
            let indexing = TextFieldIndexing::default()
                .set_tokenizer(tokenizer)
                .set_index_option(IndexRecordOption::WithFreqsAndPositions);
            TextOptions::default().set_indexing_options(indexing)
        };
        let fields = Fields {
            id: schema.add_text_field("id", STRING | STORED),
            category: schema.add_text_field("category", STRING),
            tag: schema.add_text_field("tag", STRING),
            title: schema.add_text_field("title", words("en_stem")),
            text: schema.add_text_field("text", words("en_stem")),
        };
        let directory = RamDirectory::create();
        let tantivy = Tantivy::create(directory.clone(), schema.build(), IndexSettings::default())?;
        let reader = tantivy.reader_builder();
        let reader = reader.reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self {
            tantivy,
            reader,
            directory,
            fields,
        })
    }

    /// Replaces the words of documents; `None` takes one out.
    pub(crate) fn put(
        &self,
        changes: impl IntoIterator<Item = (String, Option<(Category, Document)>)>,
    ) -> Result<(), TantivyError> {
        let mut writer = self
            .tantivy
            .writer_with_num_threads::<TantivyDocument>(1, WRITER_BYTES)?;
        for (id, document) in changes {
            writer.delete_term(Term::from_field_text(self.fields.id, &id));
            if let Some((category, document)) = document {
                writer.add_document(self.words(&id, category, &document))?;
            }
        }
        writer.commit()?;
        writer.wait_merging_threads()?;
        self.reader.reload()
    }

    fn words(&self, id: &str, category: Category, document: &Document) -> TantivyDocument {
        let mut words = TantivyDocument::default();
        words.add_text(self.fields.id, id);
        words.add_text(self.fields.category, category.name());
        words.add_text(self.fields.title, &document.front.title);
        words.add_text(self.fields.text, &document.content);
        for tag in &document.front.tags {
            words.add_text(self.fields.tag, tag);
            words.add_text(self.fields.text, tag);
        }
        words
    }

    /// What matches, at most `limit`.
    pub(crate) fn search(
        &self,
        wanted: &Wanted<'_>,
        limit: usize,
    ) -> Result<Matches, TantivyError> {
        let searcher = self.reader.searcher();
        let defaults = vec![self.fields.title, self.fields.text];
        let mut parser = QueryParser::for_index(&self.tantivy, defaults);
        parser.set_field_boost(self.fields.title, TITLE_BOOST);
        // What cannot be understood is left out: a person types this.
        let (query, _misread) = parser.parse_query_lenient(wanted.query);
        let snippets = {
            let mut snippets = SnippetGenerator::create(&searcher, &*query, self.fields.text)?;
            snippets.set_max_num_chars(SNIPPET);
            snippets
        };
        let mut parts: Vec<(Occur, Box<dyn Query>)> = vec![(Occur::Must, query)];
        let category = wanted.category.map(|it| (self.fields.category, it.name()));
        let tags = wanted
            .tags
            .iter()
            .map(|tag| (self.fields.tag, tag.as_str()));
        for (field, word) in category.into_iter().chain(tags) {
            let term = Term::from_field_text(field, word);
            let filter = TermQuery::new(term, IndexRecordOption::Basic);
            let unscored = BoostQuery::new(Box::new(filter), 0.0);
            parts.push((Occur::Must, Box::new(unscored)));
        }
        let top = TopDocs::with_limit(limit.max(1)).order_by_score();
        let mut ids = Vec::new();
        for (score, address) in searcher.search(&BooleanQuery::new(parts), &top)? {
            let found: TantivyDocument = searcher.doc(address)?;
            let id = found.get_first(self.fields.id).and_then(|id| id.as_str());
            ids.extend(id.map(|id| (score, id.to_owned())));
        }
        Ok(Matches { ids, snippets })
    }

    /// Size of the index, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.directory.total_mem_usage()
    }
}

impl Matches {
    /// The part of a text that matches best, its words between `**`; the beginning when none does.
    pub(crate) fn snippet(&self, text: &str) -> String {
        let snippet = self.snippets.snippet(text);
        if snippet.is_empty() {
            return text.chars().take(SNIPPET).collect();
        }
        let mut marked = String::new();
        let fragment = snippet.fragment();
        let mut from = 0;
        for range in tantivy::snippet::collapse_overlapped_ranges(snippet.highlighted()) {
            marked.push_str(fragment.get(from..range.start).unwrap_or_default());
            let word = fragment.get(range.clone()).unwrap_or_default();
            marked.push_str(&format!("**{word}**"));
            from = range.end;
        }
        marked.push_str(fragment.get(from..).unwrap_or_default());
        marked
    }
}
