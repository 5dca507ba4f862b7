DROP TABLE tool_aliases;
DROP TABLE tool_pins;
